import { currentOperation } from '../plumbing/current-operation';
import { releaseStandIn } from './ending';
import type { ContextNode, Operation, Operations } from '../plumbing/protocol';
import { runtime } from '../plumbing/runtime';
import type { OperationOptions } from '../plumbing/types';

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
    const { node } = operations;
    if (--operations.unsettled === 0 && node !== undefined) node.operations = undefined;
    const { hooks } = runtime.board;
    if (hooks.operationSettled !== undefined) hooks.operationSettled(this);
    // It may be held for long, by those that run in it.
    this.operations = NOWHERE;
    if (node !== undefined) releaseStandIn(node);
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
