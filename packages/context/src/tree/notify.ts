import { context } from '@opentelemetry/api';
import type { Callback, ContextNode, Ending } from '../plumbing/protocol';
import { runtime, type Delivery } from '../plumbing/runtime';

// An end that a callback of kind `due` brings about (merge), while another end is delivered, is a follower: its callbacks
// come before the next one of that end, but from its loop and not from within the callback. No recursion, however long
// the chain of what is merged with what is merged. The copy that ends a context need not be the one that calls callbacks,
// so all copies share what says so.

/** Whether the end that begins now is such a one. What it makes others do in its course is not. */
export function isFollower(): boolean {
  const answer = runtime.following;
  runtime.following = false;
  return answer;
}

/** Calls the callbacks of contexts that have ended, at once or, for a follower, as soon as it has its turn. */
export function deliver(nodes: readonly ContextNode[], ending: Ending, follower: boolean): void {
  const delivery = { nodes, ending };
  if (follower) runtime.followers.push(delivery);
  else carryOut(delivery, true);
}

function carryOut({ nodes, ending }: Delivery, outermost: boolean): void {
  notify(nodes, outermost);
  const { hooks } = runtime.board;
  if (hooks.cancellationDelivered !== undefined) hooks.cancellationDelivered(ending);
}

/** Calls the callbacks, each in the OpenTelemetry context that was active when it was registered. */
function notify(nodes: readonly ContextNode[], outermost: boolean): void {
  let active: unknown;
  for (const node of nodes) {
    let callback = node.firstCallback;
    if (callback === undefined) continue;
    node.firstCallback = undefined;
    node.lastCallback = undefined;
    active ??= context.active();
    for (; callback !== undefined; callback = callback.next) {
      // Stopped by a callback that ran before it.
      if (callback.node === undefined) continue;
      callback.node = undefined;
      if (callback.when === 'now') call(callback, active);
      else if (callback.when === 'due') callFollowing(callback, active, outermost);
      else callLater(callback);
    }
  }
}

function callFollowing(callback: Callback, active: unknown, outermost: boolean): void {
  const { followers } = runtime;
  const first = followers.length;
  runtime.following = true;
  call(callback, active);
  runtime.following = false;
  if (!outermost) return;
  for (let index = first; index < followers.length; index++) carryOut(followers[index] as Delivery, false);
  followers.length = first;
}

/** Calls one, in the end itself or while a deadline changes. What it throws surfaces later. */
export function call(callback: Callback, active: unknown): void {
  try {
    if (callback.active === active) callback.fn();
    else context.with(callback.active, callback.fn);
  } catch (error) {
    // As a native listener that throws: nobody else is harmed, and it surfaces once.
    queueMicrotask(() => {
      throw error;
    });
  }
}

/** Calls a callback in a turn of its own. What it throws, or the promise it returns rejects with, surfaces. */
export function callLater(callback: Callback): void {
  queueMicrotask(() => {
    void context.with(callback.active, callback.fn);
  });
}
