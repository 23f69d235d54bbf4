import { builtin } from '../plumbing/builtin';
import type { CanceledError, DeadlineExceededError } from '../plumbing/errors';
import { errorOf, expireIfDue } from './ending';
import type { ContextNode, Due } from '../plumbing/protocol';
import { runtime } from '../plumbing/runtime';

// What a context answers about its node. Each answer compares the clock first, so that a blocked event loop
// cannot hide a deadline that has passed.

export function errOf(node: ContextNode): CanceledError | DeadlineExceededError | undefined {
  if (node.ending === undefined) {
    if (node.due === undefined) return undefined;
    expireIfDue(node);
  }
  const ending = node.ending;
  return ending === undefined || ending.retired ? undefined : errorOf(node);
}

export function causeOf(node: ContextNode): unknown {
  const error = errOf(node);
  return error === undefined ? undefined : (node.ending?.cause ?? error);
}

export function deadlineOf(node: ContextNode): Date | undefined {
  return node.due === undefined ? undefined : dateOf(node.due);
}

/** The furthest from the epoch that a Date can be, in ms, either way (ECMAScript, "Time Values and Time Range"). */
const MAX_DATE = 8.64e15;

/** A deadline as the Date shown to users, fixed on first read; the last one there is for a deadline beyond it. */
export function dateOf(due: Due): Date {
  const { clock } = runtime;
  due.wall ??= clock.wallNow() + (due.at - clock.now());
  return new Date(Math.max(-MAX_DATE, Math.min(MAX_DATE, due.wall)));
}

export function remainingOf(node: ContextNode): number {
  const due = node.due;
  if (due === undefined) return Infinity;
  const now = expireIfDue(node);
  return Math.max(0, due.at - (Number.isNaN(now) ? runtime.clock.now() : now));
}

interface Events {
  setMaxListeners(count: number, target: EventTarget): void;
}

/** Node's event module where there is one: eleven listeners on our own signal are no leak to warn of. */
const events = builtin<Events>('node:events');

export function signalOf(node: ContextNode): AbortSignal {
  let controller = node.controller;
  if (controller === undefined) {
    controller = node.controller = new AbortController();
    events?.setMaxListeners(0, controller.signal);
  }
  const error = errOf(node);
  // A node that was marked while it had no controller, or whose listeners have not been told yet.
  if (error !== undefined && !controller.signal.aborted) controller.abort(error);
  return controller.signal;
}
