import type { Context as OtelContext } from '@opentelemetry/api';
import type { CanceledError, DeadlineExceededError } from '../plumbing/errors';
import { NODE_KEY } from '../plumbing/keys';
import { PROTOCOL, type ContextNode, type RootMark } from '../plumbing/protocol';

// What a context carries, of this protocol or of another.

/**
 * The node that a context carries: `undefined` for a root, and for one of another protocol number. However often a
 * context is wrapped, it is the same node. On the hot path of everything: it takes its argument on trust, and what is no
 * Context fails with the engine's own TypeError.
 *
 * @example
 * ```ts
 * import { background, withCancel, withValue } from '@curfew/context';
 * import { nodeOf } from '@curfew/context/spi';
 * const [ctx, cancel] = withCancel(background(), { name: 'search' });
 * nodeOf(withValue(ctx, Symbol('key'), 1)) === nodeOf(ctx); // => true
 * nodeOf(ctx)?.name; // => 'search'
 * nodeOf(background()); // => undefined
 * cancel();
 * ```
 */
export function nodeOf(ctx: OtelContext): ContextNode | undefined {
  const carried = ctx.getValue(NODE_KEY) as ContextNode | RootMark | undefined;
  return carried !== undefined && carried.protocol === PROTOCOL ? carried : undefined;
}

/** What is carried, of whatever protocol, if it is a node and not the mark of a root. It answers by its own methods. */
export function nodeIn(carried: ContextNode | RootMark | undefined): ContextNode | undefined {
  return carried !== undefined && carried.protocol !== 0 ? (carried as ContextNode) : undefined;
}

/** The error of a context that has ended, whatever protocol it is of. The clock comes first. */
export function errorIn(ctx: OtelContext): CanceledError | DeadlineExceededError | undefined {
  return nodeIn(ctx.getValue(NODE_KEY) as ContextNode | RootMark | undefined)?.err();
}
