import { AsyncResource } from 'node:async_hooks';
import { canEnd, detach } from '@curfew/context/spi';
import { context } from '@opentelemetry/api';
import type { Callback } from '../driver';

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
 * Does what a pool or a client does for itself (it connects, arms its timers, tells its events) apart from the request
 * that happens to be active: with the span and the values of now, and without the cancellation.
 */
export function detached<T>(fn: () => T): T {
  const active = context.active();
  return canEnd(active) ? context.with(detach(active), fn) : fn();
}
