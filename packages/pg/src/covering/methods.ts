import type { Context } from '@curfew/context';
import { canEnd, from, isEnforced, type Patch } from '@curfew/context/spi';
import { context } from '@opentelemetry/api';
import { callUnder, type Call } from '../call';
import { lostTo } from '../cancelling/lost-client';
import {
  activeOf,
  createQuery,
  isSubmittable,
  type Callback,
  type DriverClient,
  type DriverPool,
  type Submittable,
} from '../driver';
import { callerOf } from '../running/caller';
import { checkout, isOfCheckout } from '../running/checkout';
import { withCallersStack } from '../running/ended-error';
import { queryPool } from '../running/pool-query';
import { submit } from '../running/submit';
import type { PgOptions } from '../types';
import { bound, detached, tellInContextOf } from './async-context';
import { isLeftInTransaction, noteStatus } from './left-transaction';

// The methods that go over those of pg. Under the kill switch, and once covering is undone, each is pg's own and nothing
// else.

export type Method = (this: never, ...args: unknown[]) => unknown;

function covers({ on }: Patch): boolean {
  return on && isEnforced();
}

/** The call under a context, the active one unless given, if that is one that can end. */
function automaticCall(ctx = context.active()): Call | undefined {
  return canEnd(ctx) ? callUnder(from(ctx), true) : undefined;
}

/** Leaves a call as it is, but for its callback, which keeps the asynchronous context of its caller. */
function passOn(original: Method, self: unknown, args: unknown[]): unknown {
  const last = args.at(-1);
  if (typeof last === 'function') args = [...args.slice(0, -1), bound(last as Callback)];
  return original.apply(self as never, args);
}

/**
 * Whether the method that is called next is called by pg-pool's `query` under no context, with a callback of pg-pool's
 * own. That calls nothing of the user's that is not bound itself, and such a query should not pay for it twice.
 */
let byPoolQuery = false;

function takeByPoolQuery(): boolean {
  const taken = byPoolQuery;
  byPoolQuery = false;
  return taken;
}

/**
 * As `bound`, for the callback with which pg-pool's `query` goes on to that of the client. The context is enough for it,
 * and costs less than an async resource: it calls nothing of the user's.
 */
function boundByPoolQuery(callback: Callback): Callback {
  const active = context.active();
  return (error, client, release) =>
    context.with(active, handOver, undefined, callback, error, client, release);
}

function handOver(callback: Callback, error: unknown, client: unknown, release: unknown): void {
  // With an error it calls back at once, and that may be a callback of the user's.
  byPoolQuery = !error;
  try {
    callback(error, client, release);
  } finally {
    byPoolQuery = false;
  }
}

export function clientQuery(original: Method, patch: Patch, options: PgOptions): Method {
  return function (this: DriverClient, ...args: unknown[]) {
    if (takeByPoolQuery()) return original.apply(this as never, args);
    const [config, values, callback] = args;
    if (!covers(patch) || callerOf(config) !== undefined) return original.apply(this as never, args);
    const call = automaticCall(lostTo(this));
    if (call === undefined || config === null || config === undefined) return passOn(original, this, args);
    const hand = (query: Submittable) => original.call(this as never, query);
    if (isSubmittable(config)) {
      const given = typeof values === 'function' ? values : callback;
      if (typeof given === 'function') config.callback ??= given as Callback;
      return submit(call, this, config, options, (query) => {
        tellInContextOf(call, query);
        return hand(query);
      });
    }
    const query = createQuery(this, config, values, callback);
    if (query === undefined) return passOn(original, this, args);
    if (query.callback !== undefined) {
      // pg refuses such a callback, and says so.
      if (typeof query.callback !== 'function') return original.apply(this as never, args);
      submit(call, this, query, options, hand);
      return undefined;
    }
    const result = new (this._Promise ?? Promise)((resolve, reject) => {
      query.callback = (error, answer) => (error ? reject(error) : resolve(answer));
    });
    submit(call, this, query, options, hand);
    return withCallersStack(call.ctx, result);
  };
}

export function poolQuery(original: Method, patch: Patch, options: PgOptions): Method {
  return function (this: DriverPool, ...args: unknown[]) {
    const [config] = args;
    if (!covers(patch)) return original.apply(this as never, args);
    const call = automaticCall();
    if (call === undefined) {
      byPoolQuery = true;
      try {
        return passOn(original, this, args);
      } finally {
        byPoolQuery = false;
      }
    }
    if (typeof config === 'function' || isSubmittable(config)) return passOn(original, this, args);
    const values = typeof args[1] === 'function' ? undefined : args[1];
    const callback = typeof args[1] === 'function' ? args[1] : args[2];
    return answering(call.ctx, this, callback, (done) =>
      queryPool(call, this, config, values, done, options),
    );
  };
}

export function poolConnect(original: Method, patch: Patch): Method {
  return function (this: DriverPool, ...args: unknown[]) {
    const [callback] = args;
    if (isOfCheckout(callback)) return original.call(this as never, callback);
    if (takeByPoolQuery() && typeof callback === 'function') {
      return original.call(this as never, boundByPoolQuery(callback as Callback));
    }
    if (!covers(patch)) return original.apply(this as never, args);
    const call = automaticCall();
    if (call === undefined) return passOn(original, this, args);
    return answering(call.ctx, this, callback, (done) => checkout(call, this, done));
  };
}

/** Calls back where a callback was given, and returns a promise where none was. */
function answering(
  ctx: Context,
  pool: DriverPool,
  callback: unknown,
  start: (done: Callback) => void,
): Promise<unknown> | undefined {
  if (callback) {
    start(callback as Callback);
    return undefined;
  }
  const result = new (pool.Promise ?? Promise)((resolve, reject) =>
    start((error, answer) => (error ? reject(error) : resolve(answer))),
  );
  return withCallersStack(ctx, result);
}

/**
 * Detaches what a pool goes on to do by itself when a client is released: it serves whoever waits, opens connections,
 * arms timers and tells its events. A client that is left in a transaction is dropped.
 */
export function poolRelease(original: Method, patch: Patch): Method {
  return function (this: never, ...args: unknown[]) {
    if (!covers(patch)) return original.apply(this, args);
    const [client, idleListener, error] = args;
    const drop = error || isLeftInTransaction(client as DriverClient);
    return detached(() => original.call(this, client, idleListener, drop));
  };
}

/** Notes the state of a transaction with what comes after every query. */
export function readyForQuery(original: Method): Method {
  return function (this: never, ...args: unknown[]) {
    noteStatus(this, args[0] as { status?: string } | undefined);
    return original.apply(this, args);
  };
}

/** Detaches a client's socket, whose events run for ever in the context that dialled it; the callback is its caller's. */
export function clientConnect(original: Method, patch: Patch): Method {
  return function (this: never, ...args: unknown[]) {
    if (!covers(patch)) return original.apply(this, args);
    if (typeof args[0] === 'function') args = [bound(args[0] as Callback)];
    return detached(() => original.apply(this, args));
  };
}

/** Tells a notice in the asynchronous context of the query that the server works on. */
export function notice(original: Method): Method {
  return function (this: DriverClient, ...args: unknown[]) {
    const caller = callerOf(activeOf(this));
    if (caller === undefined) return original.apply(this as never, args);
    return caller.runInAsyncScope(() => original.apply(this as never, args));
  };
}
