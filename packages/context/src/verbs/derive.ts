import { context, diag, type Context as OtelContext } from '@opentelemetry/api';
import { checkContext, checkDuration, checkInstant, checkOptions, checkSignal } from '../plumbing/arguments';
import { deadlines } from '../tree/deadlines';
import { cancelNode, expire, expireIfDue, distinctEnding, releaseNode } from '../tree/ending';
import { NODE_KEY } from '../plumbing/keys';
import { TreeNode } from '../tree/node';
import { Flag, PROTOCOL, type ContextNode, type Due, type RootMark } from '../plumbing/protocol';
import { followContext, nodeOf } from '../tree/carried';
import { runtime } from '../plumbing/runtime';
import { followSignal } from '../tree/foreign-signal';
import type { Cancel, CancelContext, DeriveOptions } from '../plumbing/types';
import { layersOf, nodeIn } from '../tree/view';

/**
 * A context that ends when its cancel function is called or the parent ends. Cancelling is synchronous: when it
 * returns, every descendant is done and every listener has been called. Whoever derives a context ends it.
 *
 * @throws TypeError if the parent is no Context.
 * @example
 * ```ts
 * import { background, withCancel } from '@curfew/context';
 * const [ctx, cancel] = withCancel(background(), { name: 'search' });
 * cancel(new Error('user left'));
 * ctx.err()?.message; // => 'context canceled'
 * (ctx.cause() as Error).message; // => 'user left'
 * ```
 */
export function withCancel(parent: OtelContext, options?: DeriveOptions): [CancelContext, Cancel] {
  const node = derive(parent, options);
  return [node, cancelFunction(node)];
}

/**
 * As `withCancel`, and ends with DeadlineExceededError once `ms` milliseconds have passed. Zero and negative
 * have passed already; `Infinity` is no deadline. A parent's earlier or equal deadline wins, and `options.cause` is
 * then dropped, as in Go.
 *
 * The clock decides: whoever asks after the deadline finds the context ended, even if the event loop was blocked
 * and the timer is late. Time is monotonic and counts only while the machine is awake. Releasing the context stops
 * the clock: do it as soon as the work is done.
 *
 * @param ms Milliseconds; fractions count. Any number up to Infinity: long ones are waited for in steps.
 * @throws TypeError if the parent is no Context or `ms` no number; RangeError if `ms` is NaN.
 * @example
 * ```ts
 * import { background, withTimeout } from '@curfew/context';
 * const [ctx, cancel] = withTimeout(background(), 2_000);
 * using _ = cancel; // Go's `defer cancel()`
 * ctx.remaining() > 1_000; // => true
 * const [late] = withTimeout(ctx, 0, { cause: 'no budget left' });
 * late.err()?.message; // => 'context deadline exceeded'
 * late.cause(); // => 'no budget left'
 * ```
 */
export function withTimeout(
  parent: OtelContext,
  ms: number,
  options?: DeriveOptions,
): [CancelContext, Cancel] {
  checkDuration(ms, 'ms');
  const node = deriveUntil(parent, ms, undefined, options);
  return [node, cancelFunction(node)];
}

/**
 * As `withTimeout`, up to an instant of wall-clock time. The time left is worked out once, now, and is monotonic
 * from then on: setting the system's clock moves no deadline. An instant in the past has passed already.
 *
 * @param at A Date or epoch milliseconds; a time that is not an instant but a duration is for `withTimeout`.
 * @throws TypeError if the parent is no Context or `at` no Date or number; RangeError if it is invalid.
 * @example
 * ```ts
 * import { background, withDeadline } from '@curfew/context';
 * const noon = new Date('2100-01-01T12:00:00Z');
 * const [ctx, cancel] = withDeadline(background(), noon);
 * using _ = cancel;
 * ctx.deadline(); // => noon
 * const [sooner, release] = withDeadline(ctx, Date.now() + 5_000);
 * sooner.remaining() <= 5_000; // => true
 * release();
 * ```
 */
export function withDeadline(
  parent: OtelContext,
  at: Date | number,
  options?: DeriveOptions,
): [CancelContext, Cancel] {
  const wall = checkInstant(at, 'at');
  const node = deriveUntil(parent, wall - runtime.clock.wallNow(), wall, options);
  return [node, cancelFunction(node)];
}

/**
 * A context that ends with whichever ends first: the parent or the signal. A signal whose reason is a
 * TimeoutError reads as a deadline; its reason is the cause. The signal holds one listener while the context
 * lives and none after. A signal that has aborted already ends the context at birth, unless the parent was first.
 *
 * @throws TypeError if the parent is no Context or the signal no AbortSignal.
 * @example
 * ```ts
 * import { background, withSignal } from '@curfew/context';
 * const button = new AbortController();
 * const [ctx, cancel] = withSignal(background(), button.signal);
 * button.abort('stopped by the user');
 * ctx.err()?.name; // => 'AbortError'
 * ctx.cause(); // => 'stopped by the user'
 * cancel(); // does nothing any more, and is always right to call
 * ```
 */
export function withSignal(
  parent: OtelContext,
  signal: AbortSignal,
  options?: DeriveOptions,
): [CancelContext, Cancel] {
  checkSignal(signal, 'signal');
  const node = derive(parent, options);
  followSignal(node, signal);
  return [node, cancelFunction(node)];
}

/** Makes a node under a parent, links it and tells that it started, at `now` where the clock has been read. */
export function derive(parent: OtelContext, options: DeriveOptions | undefined, now = NaN): TreeNode {
  checkContext(parent, 'parent');
  if (options !== undefined) checkOptions(options, 'options');
  const carried = parent.getValue(NODE_KEY) as ContextNode | RootMark | undefined;
  const flags = options?.longLived === true ? Flag.LONG_LIVED : 0;
  if (carried !== undefined && carried.protocol === PROTOCOL) {
    return deriveFrom(carried, parent, options?.name, flags, now);
  }
  const node = new TreeNode(options?.name, flags, layersOf(parent), undefined);
  const { hooks } = runtime.board;
  const up = nodeIn(carried);
  if (up === undefined && hooks.chainBroken !== undefined) tellChainBroken(carried as RootMark | undefined);
  if (hooks.contextStarted !== undefined) hooks.contextStarted({ node, now });
  if (up !== undefined) followContext(node, up);
  return node;
}

function deriveFrom(
  up: ContextNode,
  parent: OtelContext,
  name: string | undefined,
  flags: number,
  now: number,
): TreeNode {
  // One reading for both: whether the parent's deadline has passed, and when this one started.
  const startedAt = up.due === undefined ? now : expireIfDue(up, now);
  const layers = layersOf(parent);
  let node: TreeNode;
  if (up.ending === undefined) {
    node = new TreeNode(name, flags, layers, up);
    node.due = up.due;
    const last = up.lastChild;
    node.prev = last;
    if (last === undefined) up.firstChild = node;
    else last.next = node;
    up.lastChild = node;
  } else if (up.ending.retired) {
    // Work after a finished request is a tree of its own, without the request's deadline.
    node = new TreeNode(name, flags, layers, undefined);
  } else {
    node = new TreeNode(name, flags | Flag.BORN_DONE, layers, up);
    node.due = up.due;
    node.ending = distinctEnding(up);
    return node;
  }
  const { hooks } = runtime.board;
  if (hooks.contextStarted !== undefined) hooks.contextStarted({ node, now: startedAt });
  return node;
}

/**
 * Derives a node with a deadline in `ms`; `wall` is the Date to show for it, if one was given. One that is observed
 * limits nothing: the deadlines of the program, which may be later, count as if it were not there.
 */
export function deriveUntil(
  parent: OtelContext,
  ms: number,
  wall: number | undefined,
  options: DeriveOptions | undefined,
  limit: Due['limit'] = 'program',
): TreeNode {
  // Read before anything is linked: a getter may throw.
  const cause = options?.cause;
  const ref = options?.ref === true;
  // Before the node, so that who listens for it starting need not read it again.
  const now = ms === Infinity ? NaN : runtime.clock.now();
  const node = derive(parent, options, now);
  if (node.ending !== undefined || ms === Infinity) return node;
  const own: Due = { at: now + ms, node: undefined, cause, wall, ref, order: 0, limit };
  node.own = own;
  // An equal deadline of the parent covers this one too: one timer, and the parent's cause, always.
  if (node.due !== undefined && node.due.at <= own.at) {
    if (cause !== undefined)
      diag.debug("curfew: a deadline's cause is not used, the parent's deadline is earlier");
    return node;
  }
  if (limit !== 'observed') {
    node.flags |= Flag.WITH_DEADLINE;
    node.due = own;
  }
  if (ms <= 0) expire(node, now, 'check');
  else {
    own.node = node;
    deadlines().add(own);
  }
  return node;
}

/**
 * The function that ends a node, which is its own disposer: `using` calls it without a cause. A bound function
 * takes 54 bytes less than a closure, and every live context has one.
 */
export function cancelFunction(node: ContextNode): Cancel {
  const cancel = endNode.bind(node) as { (cause?: unknown): void; [Symbol.dispose]: () => void };
  cancel[Symbol.dispose] = cancel;
  return cancel;
}

function endNode(this: ContextNode, cause?: unknown): void {
  if (cause === undefined || cause === null) releaseNode(this);
  else cancelNode(this, 'canceled', 'caller', cause);
}

/** A root while a live context is active is a chain that broke, unless it was detached on purpose. */
function tellChainBroken(mark: RootMark | undefined): void {
  if (mark?.root === 'detached') return;
  const live = nodeOf(context.active());
  if (live === undefined || live.ending !== undefined) return;
  runtime.board.hooks.chainBroken?.({ cause: mark === undefined ? 'background' : 'todo', active: live });
}
