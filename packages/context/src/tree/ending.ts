import {
  endError,
  markAutomatic,
  type CanceledError,
  type DeadlineExceededError,
  type Reason,
} from '../plumbing/errors';
import { after, callDue, inheritDeadlines, queueDue } from './inherit-deadlines';
import { unlinkAll } from './links';
import { callLater, deliver, isFollower } from './notify';
import { currentOperation } from '../plumbing/current-operation';
import { Flag, type ContextNode, type Ending, type Origin, type Outcome } from '../plumbing/protocol';
import { runtime } from '../plumbing/runtime';

// How contexts end. `deadlines` calls `expire` when a deadline passes. What ends here takes its deadline out by way of the
// slot in `runtime` that holds them: importing `deadlines` would close a circle.

/** One end. Mutable here alone: the fan-out grows while the subtree is marked. */
class End implements Ending {
  error: CanceledError | DeadlineExceededError | undefined = undefined;
  fanout = 0;

  constructor(
    readonly outcome: Outcome,
    readonly origin: Origin,
    readonly node: ContextNode | undefined,
    readonly at: number,
    readonly markedAt: number,
    readonly detectedBy: 'timer' | 'check' | undefined,
    readonly retired: boolean,
    readonly cause: unknown,
    readonly automatic = false,
  ) {}

  get reason(): Reason | undefined {
    return this.outcome === 'completed' ? undefined : this.outcome;
  }
}

/**
 * The end that every release of a childless context shares until somebody asks for its error: most contexts
 * end this way, and none of them should pay for a record.
 */
const RELEASED: Ending = new End('completed', 'caller', undefined, NaN, NaN, undefined, false, undefined);

/** The end that every request whose response finished shares: whoever is told of one is told the node and the time. */
const RETIRED: Ending = new End('completed', 'caller', undefined, NaN, NaN, undefined, true, undefined);

/** The one error of the cancellation that ended this node. */
export function errorOf(node: ContextNode): CanceledError | DeadlineExceededError {
  const ending = distinctEnding(node);
  if (ending.error !== undefined) return ending.error;
  const options = ending.cause === undefined ? undefined : { cause: ending.cause };
  const error = endError(ending.reason ?? 'canceled', options);
  // What a program throws because Curfew ended its context would not have been thrown without.
  return (ending.error = ending.automatic ? markAutomatic(error) : error);
}

/** The ending of an ended node and of nobody else's end: in place of one that many share, one is made for it. */
export function distinctEnding(node: ContextNode): Ending {
  const ending = node.ending as Ending;
  // Told by its field: another installed copy has one of its own.
  if (ending.node !== undefined) return ending;
  return (node.ending = new End('completed', 'caller', node, NaN, NaN, undefined, ending.retired, undefined));
}

/**
 * Ends the context whose deadline has passed by the clock, if any on the path has. Returns the time, or NaN where it
 * did not have to be read; it is not where it is `known`, from this very turn.
 */
export function expireIfDue(node: ContextNode, known = NaN): number {
  const due = node.due;
  if (due === undefined || due.node === undefined || node.ending !== undefined) return known;
  const now = Number.isNaN(known) ? runtime.clock.now() : known;
  if (now >= due.at) expire(due.node, now, 'check');
  return now;
}

/** Ends a node because the deadline that it set itself has passed; or only tells of it, where it is observed. */
export function expire(node: ContextNode, now: number, detectedBy: 'timer' | 'check'): void {
  const due = node.own;
  if (due === undefined || node.ending !== undefined) return;
  if (due.limit === 'observed') {
    if (due.node !== undefined) runtime.deadlines?.remove(due);
    tellObserved(node, 'deadline_exceeded', 'deadline');
    return;
  }
  const automatic = due.limit === 'automatic';
  finish(
    node,
    new End('deadline_exceeded', 'deadline', node, due.at, now, detectedBy, false, due.cause, automatic),
  );
}

/**
 * Whether what Curfew adds is carried out, or only told of. The one place that decides it, by who limits or ends and
 * not by the origin: `deadline` is a scope's as well as a server's, `caller` is `cancel()` as well as a response that
 * its server destroyed. What the program itself says is always carried out, and never asks.
 */
export function carriesOut(): boolean {
  return runtime.enforce;
}

/** Ends a node for a reason; the clock first, so that a deadline that has passed wins. */
export function cancelNode(
  node: ContextNode,
  reason: Reason,
  origin: Origin,
  cause: unknown,
  automatic = false,
): void {
  if (node.ending !== undefined) return;
  let now = NaN;
  if (node.due !== undefined) {
    now = expireIfDue(node);
    if (node.ending !== undefined) return;
  }
  if (automatic && !carriesOut()) {
    // Whatever would have ended it first is all there is to tell.
    if (!observedLimitPassed(node)) tellObserved(node, reason, origin);
    retireNode(node);
    return;
  }
  if (Number.isNaN(now) && runtime.board.hooks.contextEnded !== undefined) now = runtime.clock.now();
  finish(node, new End(reason, origin, node, now, now, undefined, false, cause, automatic));
}

/** A release: the context ends as by a cancel, but counts as completed unless tracked work still runs under it. */
export function releaseNode(node: ContextNode): void {
  if (node.ending !== undefined) return;
  let now = NaN;
  if (node.due !== undefined) {
    now = expireIfDue(node);
    if (node.ending !== undefined) return;
  }
  if (node.firstChild === undefined && node.operations === undefined) {
    if (node.firstCallback === undefined && node.controller === undefined) releaseLeaf(node, now);
    else complete(node, now);
  } else if (hasOtherWork(node)) {
    cancelNode(node, 'canceled', 'caller', undefined);
  } else {
    complete(node, now);
  }
}

/** Lets go of a stand-in that nothing hangs on any more. */
export function releaseStandIn(node: ContextNode): void {
  if ((node.flags & Flag.STAND_IN) === 0) return;
  if (node.firstCallback === undefined && node.operations === undefined) releaseNode(node);
}

/** A release that somebody has to be told of. */
function complete(node: ContextNode, now: number): void {
  finish(node, new End('completed', 'caller', node, now, now, undefined, false, undefined));
}

/** The most frequent end of all: nobody to tell. */
function releaseLeaf(node: ContextNode, now: number): void {
  node.ending = RELEASED;
  leave(node);
  letGo(node);
  const { hooks } = runtime.board;
  if (hooks.contextEnded !== undefined) hooks.contextEnded({ node, ending: RELEASED, now });
}

/** Whether work is unsettled in the subtree other than the current operation and those it runs in. */
function hasOtherWork(root: ContextNode): boolean {
  for (let node: ContextNode | undefined = root; node !== undefined; node = after(node, root)) {
    if (node.operations !== undefined && node.operations.unsettled > callersUnder(node)) return true;
  }
  return false;
}

/**
 * How many unsettled operations of a node are the current one, or one that it runs in. A timer that an operation started
 * carries it too, and nothing tells its turn from what follows an `await`: what it releases, the operation releases. A
 * timer that gives up on work says so by a cause.
 */
function callersUnder(node: ContextNode): number {
  let count = 0;
  for (let up = currentOperation(); up !== undefined; up = up.parent) {
    // One that has settled has no node.
    if (up.node === node) count++;
  }
  return count;
}

/** Takes a node out of its parent's list. It keeps its parent for its name. */
function leave(node: ContextNode): void {
  const { parent, prev, next } = node;
  if (parent === undefined) return;
  if (prev === undefined) {
    if (parent.firstChild === node) parent.firstChild = next;
  } else prev.next = next;
  if (next === undefined) {
    if (parent.lastChild === node) parent.lastChild = prev;
  } else next.prev = prev;
  node.prev = undefined;
  node.next = undefined;
}

/** Drops the timer, the foreign listener and the operations. */
function letGo(node: ContextNode): void {
  if (node.operations !== undefined) {
    node.operations.node = undefined;
    node.operations = undefined;
  }
  const own = node.own;
  if (own !== undefined && own.node !== undefined) {
    // However late its timer is.
    if (observedLimitPassed(node)) tellObserved(node, 'deadline_exceeded', 'deadline');
    runtime.deadlines?.remove(own);
  }
  if (node.unlink !== undefined) unlinkAll(node);
}

/**
 * Marks the whole subtree, then aborts the signals that were made, then calls the callbacks, each in pre-order
 * and insertion order. No recursion: a tree may be a million levels deep. No event: propagation is ours.
 */
function finish(root: ContextNode, ending: End): void {
  const follower = isFollower();
  leave(root);
  const { hooks } = runtime.board;
  const everyone = hooks.contextEnded !== undefined;
  /** Those for whom somebody is to be told: by a hook, a signal or a callback. */
  const audience: ContextNode[] = [];
  let signals = 0;
  let node = root;
  let reached = 0;
  for (;;) {
    node.ending = ending;
    reached++;
    letGo(node);
    if (node.controller !== undefined) {
      signals++;
      audience.push(node);
    } else if (everyone || node.firstCallback !== undefined) audience.push(node);
    if (node.firstChild !== undefined) {
      node = node.firstChild;
      continue;
    }
    while (node !== root && node.next === undefined) {
      const up = node.parent as ContextNode;
      node.prev = undefined;
      up.firstChild = undefined;
      up.lastChild = undefined;
      node = up;
    }
    if (node === root) break;
    const next = node.next as ContextNode;
    node.prev = undefined;
    node.next = undefined;
    node = next;
  }
  ending.fanout = reached - 1;
  if (hooks.contextEnded !== undefined) {
    // One reading for all of them, where there is none yet.
    const now = Number.isNaN(ending.markedAt) ? runtime.clock.now() : ending.markedAt;
    for (const each of audience) hooks.contextEnded({ node: each, ending, now });
  }
  if (signals > 0) {
    const error = errorOf(root);
    for (const each of audience) each.controller?.abort(error);
  }
  deliver(audience, ending, follower);
}

/**
 * Ends a context as completed without telling anybody: a request whose response finished. Its signal never
 * aborts, its deadline is disarmed, and live children go on as roots without the deadline they inherited.
 */
export function retireNode(node: ContextNode, now = NaN): void {
  if (node.ending !== undefined) return;
  node.ending = RETIRED;
  leave(node);
  letGo(node);
  node.due = undefined;
  for (let callback = node.firstCallback; callback !== undefined; callback = callback.next) {
    if (callback.when !== 'always') continue;
    callLater(callback);
    callback.node = undefined;
  }
  queueDue(node);
  node.firstCallback = undefined;
  node.lastCallback = undefined;
  let child = node.firstChild;
  node.firstChild = undefined;
  node.lastChild = undefined;
  while (child !== undefined) {
    const next = child.next;
    child.parent = undefined;
    child.prev = undefined;
    child.next = undefined;
    inheritDeadlines(child);
    child = next;
  }
  const { hooks } = runtime.board;
  if (hooks.contextEnded !== undefined) hooks.contextEnded({ node, ending: node.ending, now });
  callDue();
}

/** Whether a limit has passed by the clock that observe mode does not carry out. */
function observedLimitPassed({ own }: ContextNode): boolean {
  return own?.limit === 'observed' && runtime.clock.now() >= own.at;
}

/** Tells of a cancellation that observe mode does not carry out. */
function tellObserved(node: ContextNode, reason: Reason, origin: Origin): void {
  const { hooks } = runtime.board;
  if (hooks.cancellationObserved !== undefined) hooks.cancellationObserved({ node, reason, origin });
}
