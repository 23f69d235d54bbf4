import type { Context as OtelContext } from '@opentelemetry/api';
import { reasonOf, type CanceledError, type DeadlineExceededError } from '../plumbing/errors';
import { NODE_KEY } from '../plumbing/keys';
import { Flag, PROTOCOL, type ContextNode, type RootMark } from '../plumbing/protocol';
import { runtime } from '../plumbing/runtime';
import { cancelNode } from './ending';
import { link } from './links';
import { TreeNode } from './node';
import { layersOf, nodeIn } from './view';

// Whether a context can end, and how to hear of it: every verb asks here. A context of another protocol number ends as
// well as ours, but is in no tree of ours, and nothing of its node is known but its public methods and `onEnd`.

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

/** The node that a context carries, of whatever protocol: to tell one from another, and to ask by its own methods. */
export function carriedBy(ctx: OtelContext): ContextNode | undefined {
  return nodeIn(ctx.getValue(NODE_KEY) as ContextNode | RootMark | undefined);
}

/** The error of a context that has ended, whatever protocol it is of. The clock comes first. */
export function errorIn(ctx: OtelContext): CanceledError | DeadlineExceededError | undefined {
  return carriedBy(ctx)?.err();
}

/**
 * What of ours ends with a context: the node to listen to and to begin operations under. `undefined` where the context
 * never ends. For one of another protocol it is a stand-in, a node of ours that follows it. Whoever asks puts one
 * callback or operation on it, or more; it goes with the last of them, and with it the listener that it has.
 */
export function endOf(ctx: OtelContext): ContextNode | undefined {
  const carried = ctx.getValue(NODE_KEY) as ContextNode | RootMark | undefined;
  if (carried === undefined || carried.protocol === PROTOCOL) return carried;
  return carried.protocol === 0 ? undefined : standIn(ctx, carried as ContextNode);
}

function standIn(ctx: OtelContext, up: ContextNode): ContextNode {
  const node = new TreeNode(undefined, Flag.STAND_IN, layersOf(ctx), undefined);
  // Counted as any other: work under it is an orphan once it has ended.
  runtime.board.hooks.contextStarted?.({ node, now: NaN });
  followContext(node, up);
  return node;
}

/** Ends a node when a context of another protocol ends, through the methods that every protocol has. */
export function followContext(node: ContextNode, up: ContextNode): void {
  const ended = () => {
    const error = up.err();
    const reason = reasonOf(error) ?? 'canceled';
    const cause = up.cause();
    // Without a cause of its own, the cause is the error itself; this node makes one of this copy's.
    cancelNode(
      node,
      reason,
      reason === 'canceled' ? 'caller' : 'deadline',
      cause === error ? undefined : cause,
    );
  };
  // At once where it has ended already: `onEnd` would say so in a later turn only.
  if (up.err() !== undefined) {
    ended();
    return;
  }
  const stop = up.onEnd(ended);
  link(node, () => void stop());
}
