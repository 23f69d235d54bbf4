import { AsyncResource } from 'node:async_hooks';
import { canEnd, detach } from '@curfew/context/spi';
import { context } from '@opentelemetry/api';
import type { Call } from '../call';
import { EVENTS, type Callback, type Submittable } from '../driver';

// Whoever releases a client runs what waits for it, and a socket remembers who dialled it. What is called back there
// belongs to somebody else: to its own caller, who may run under no context at all, or to nobody.

/**
 * A callback that runs in the asynchronous context of now, whoever calls it. Not by `AsyncResource.bind`, which costs
 * some twenty times as much.
 */
export function bound(callback: Callback): Callback {
  const caller = new AsyncResource('CURFEW_PG_CALLBACK');
  return (...args) => caller.runInAsyncScope(callback, undefined, ...args);
}

/**
 * Has a query tell what comes in where it was submitted: its listeners are the user's. A query that we make ourselves has
 * a callback and nobody else to tell, and does not pay for this at each row.
 */
export function tellInContextOf({ caller }: Call, query: Submittable): void {
  for (const name of EVENTS) {
    const original = query[name];
    if (typeof original === 'function')
      query[name] = (...args) => caller.runInAsyncScope(original, query, ...args);
  }
}

/**
 * Does what a pool or a client does for itself (it connects, arms its timers, tells its events) apart from the request
 * that happens to be active: with the span and the values of now, and without the cancellation.
 */
export function detached<T>(fn: () => T): T {
  const active = context.active();
  return canEnd(active) ? context.with(detach(active), fn) : fn();
}
