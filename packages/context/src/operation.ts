import { context, diag, ROOT_CONTEXT, type Context as OtelContext } from '@opentelemetry/api';
import { OPERATION_KEY } from './keys';
import type { ContextNode, Operation } from './protocol';
import { runtime } from './runtime';
import type { OperationOptions } from './types';

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

class Work implements Operation {
  settled = false;
  slot = -1;
  prev: Operation | undefined = undefined;
  next: Operation | undefined = undefined;

  constructor(
    public node: ContextNode | undefined,
    public parent: Operation | undefined,
    readonly name: string | undefined,
    readonly kind: string,
  ) {}

  settle(): void {
    if (this.settled) return;
    this.settled = true;
    // Work that starts its own successor would make a chain of settled ones without an end.
    this.parent = unsettled(this.parent);
    const { node, prev, next } = this;
    if (node !== undefined) {
      if (prev === undefined) node.operations = next;
      else prev.next = next;
      if (next !== undefined) next.prev = prev;
    }
    const { hooks } = runtime.board;
    if (hooks.operationSettled !== undefined) hooks.operationSettled(this);
    letGo(this);
  }
}

/** An operation may be held for long, by what never settles or by those that it runs in: not so its context. */
function letGo(operation: Operation): void {
  operation.node = undefined;
  operation.prev = undefined;
  operation.next = undefined;
}

/** Lets a node that has ended go from its operations, once everybody has been told which they are. */
export function letOperationsGo(node: ContextNode): void {
  let operation = node.operations;
  node.operations = undefined;
  while (operation !== undefined) {
    const { next } = operation;
    letGo(operation);
    operation = next;
  }
}

/** The nearest operation that has not settled, from this one on: one that has counts for nothing any more. */
function unsettled(operation: Operation | undefined): Operation | undefined {
  while (operation?.settled === true) operation = operation.parent;
  return operation;
}

/** Starts an operation under a node. Whoever starts one settles it. */
export function begin(node: ContextNode, options: OperationOptions | undefined): Operation {
  const operation = new Work(node, unsettled(currentOperation()), options?.name, options?.kind ?? 'internal');
  const ended = node.ending !== undefined;
  if (!ended) {
    operation.next = node.operations;
    if (operation.next !== undefined) operation.next.prev = operation;
    node.operations = operation;
  }
  const { hooks } = runtime.board;
  if (hooks.operationBegun !== undefined) hooks.operationBegun(operation);
  if (ended) letGo(operation);
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
