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
  const delivery: Delivery = { nodes, ending, place: 0, next: undefined };
  if (follower) runtime.followers.push(delivery);
  else carryOut(delivery);
}

/** Carries a delivery out, and between its callbacks those of the ends that follow from them. */
function carryOut(first: Delivery): void {
  const { followers, board } = runtime;
  /** Those in whose midst another one is carried out, innermost last. */
  let interrupted: Delivery[] | undefined;
  for (let delivery: Delivery | undefined = first; delivery !== undefined;) {
    if (goOn(delivery)) {
      board.hooks.cancellationDelivered?.(delivery.ending);
      delivery = interrupted?.pop();
    } else {
      (interrupted ??= []).push(delivery);
      // One at most follows from a callback: the first end to begin takes the mark.
      delivery = followers.pop();
    }
  }
}

/**
 * Calls the callbacks of a delivery from where it stands, each in the OpenTelemetry context that was active when it was
 * registered. Returns whether that were all: `false` after one from which another end follows.
 */
function goOn(delivery: Delivery): boolean {
  const { nodes } = delivery;
  const { followers } = runtime;
  let callback = delivery.next;
  let active: unknown;
  for (;;) {
    for (; callback !== undefined; callback = callback.next) {
      // Stopped by a callback that ran before it.
      if (callback.node === undefined) continue;
      callback.node = undefined;
      active ??= context.active();
      if (callback.when === 'now') call(callback, active);
      else if (callback.when !== 'due') callLater(callback);
      else {
        const before = followers.length;
        runtime.following = true;
        call(callback, active);
        runtime.following = false;
        if (followers.length === before) continue;
        delivery.next = callback.next;
        return false;
      }
    }
    if (delivery.place === nodes.length) return true;
    const node = nodes[delivery.place++] as ContextNode;
    callback = node.firstCallback;
    node.firstCallback = undefined;
    node.lastCallback = undefined;
  }
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
