import { context, diag, ROOT_CONTEXT, type Context as OtelContext } from '@opentelemetry/api';
import { OPERATION_KEY } from '../plumbing/keys';
import type { ContextNode, Operation, Operations } from '../plumbing/protocol';
import { runtime } from '../plumbing/runtime';
import type { OperationOptions } from '../plumbing/types';

/** The operation whose synchronous part is running: what there is to go by without a ContextManager. */
let synchronous: Operation | undefined;

/**
 * The operation that the calling code runs in, if any. Without a ContextManager it is known only as long as the
 * operation's function has not awaited.
 *
 * @example
 * ```ts
 * import { background, run, withCancel } from '@curfew/context';
 * import { currentOperation } from '@curfew/context/spi';
 * const [ctx, cancel] = withCancel(background());
 * run(ctx, { name: 'load' }, () => currentOperation()?.name); // => 'load'
 * currentOperation(); // => undefined
 * cancel();
 * ```
 */
export function currentOperation(): Operation | undefined {
  return (context.active().getValue(OPERATION_KEY) as Operation | undefined) ?? synchronous;
}

/** Where operations belong that have settled. */
const NOWHERE: Operations = { node: undefined, unsettled: 0 };

class Work implements Operation {
  settled = false;
  record: unknown = undefined;

  constructor(
    private operations: Operations,
    public parent: Operation | undefined,
    readonly name: string | undefined,
    readonly kind: string,
  ) {}

  get node(): ContextNode | undefined {
    return this.operations.node;
  }

  settle(): void {
    if (this.settled) return;
    this.settled = true;
    // Work that starts its own successor would make a chain of settled ones without an end.
    this.parent = unsettled(this.parent);
    const { operations } = this;
    if (--operations.unsettled === 0 && operations.node !== undefined) operations.node.operations = undefined;
    const { hooks } = runtime.board;
    if (hooks.operationSettled !== undefined) hooks.operationSettled(this);
    // It may be held for long, by those that run in it.
    this.operations = NOWHERE;
  }
}

/** The nearest operation that has not settled, from this one on: one that has counts for nothing any more. */
function unsettled(operation: Operation | undefined): Operation | undefined {
  while (operation?.settled === true) operation = operation.parent;
  return operation;
}

/** Starts an operation under a node. Whoever starts one settles it. */
export function begin(node: ContextNode, options: OperationOptions | undefined): Operation {
  const ended = node.ending !== undefined;
  const operations = ended ? { node, unsettled: 0 } : (node.operations ??= { node, unsettled: 0 });
  operations.unsettled++;
  const operation = new Work(operations, currentOperation(), options?.name, options?.kind ?? 'internal');
  const { hooks } = runtime.board;
  if (hooks.operationBegun !== undefined) hooks.operationBegun(operation);
  if (ended) operations.node = undefined;
  return operation;
}

/** Looked into once, by the first operation: a manager is registered before the work that relies on it. */
let managerKnown = false;

/** Says, once, that without a ContextManager the active context is always the root. */
function warnWithoutManager(): void {
  managerKnown = true;
  const probe = ROOT_CONTEXT.setValue(OPERATION_KEY, undefined);
  if (context.with(probe, () => context.active() === probe)) return;
  diag.warn('curfew: no ContextManager is registered, so active() never ends; hand contexts on explicitly');
}

/** Calls `fn` with `ctx` active and `operation` current. */
export function inside<C extends OtelContext, T>(ctx: C, operation: Operation, fn: (ctx: C) => T): T {
  if (!managerKnown) warnWithoutManager();
  const outer = synchronous;
  synchronous = operation;
  try {
    return context.with(ctx, fn as (ctx: unknown) => T, undefined, ctx);
  } finally {
    synchronous = outer;
  }
}

/** Whether a value is a promise of this or another realm: told by its tag, since `instanceof` fails across realms. */
export function isPromise(value: unknown): value is Promise<unknown> {
  if (typeof value !== 'object' || value === null) return false;
  try {
    return Object.prototype.toString.call(value) === '[object Promise]';
  } catch {
    // A proxy whose traps throw is passed on as it is.
    return false;
  }
}
