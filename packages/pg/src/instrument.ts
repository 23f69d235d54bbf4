import { AsyncResource } from 'node:async_hooks';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { from, type Context } from '@curfew/context';
import { nodeOf } from '@curfew/context/spi';
import { context, ROOT_CONTEXT } from '@opentelemetry/api';
import { checkout } from './checkout';
import { createQuery, isSubmittable, type Callback, type DriverClient, type DriverPool } from './driver';
import { withCallersStack } from './ended-error';
import { submit, submitToPool } from './submit';
import { callerOf } from './supervise';
import type { PgOptions } from './types';

/** What `require('pg')` yields, told by its shape. */
export interface PgModule {
  readonly Client: { readonly prototype: object };
  readonly Pool: { readonly prototype: object };
}

type Method = (this: never, ...args: unknown[]) => unknown;
type Methods = Record<string, Method>;

const WRAPPED = Symbol.for('@curfew/pg.wrapped');

/**
 * Covers `client.query`, `pool.query` and `pool.connect` of pg under the active context, for every client and pool,
 * those that exist already included: with promises, callbacks, and objects with a `submit` method (cursors and
 * streams). The service's code does not change; what runs under no context, or `withoutCancel`, is left alone.
 *
 * @param pg The module, where the service uses another copy than is found from here. If there is no pg, nothing is
 *   done. The native client is left alone: it has no cancel that is safe.
 * @returns Puts everything back. Does nothing where pg was covered before.
 * @example
 * ```ts
 * const undo = instrumentPg();
 * await scope({ timeout: 300 }, () => pool.query('SELECT pg_sleep(10)')); // rejects, and the server is idle again
 * undo();
 * ```
 */
export function instrumentPg(pg: PgModule | undefined = findPg(), options: PgOptions = {}): () => void {
  if (pg === undefined || !('_handleReadyForQuery' in pg.Client.prototype)) return () => undefined;
  const undos = [
    wrap(pg.Client.prototype, 'query', (original) => clientQuery(original, options)),
    wrap(pg.Client.prototype, '_handleNotice', notice),
    wrap(pg.Pool.prototype, 'query', (original) => poolQuery(original, options)),
    wrap(pg.Pool.prototype, 'connect', poolConnect),
  ];
  return () => {
    for (const undo of undos) undo();
  };
}

/** The copy of pg that the service most likely uses: the one beside this package, or in the working folder. */
function findPg(): PgModule | undefined {
  for (const place of [__filename, join(process.cwd(), 'package.json')]) {
    try {
      return createRequire(place)('pg') as PgModule;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error;
    }
  }
  return undefined;
}

/** Puts a method over another one where that is defined. If somebody wraps ours in turn, undoing makes it inert. */
function wrap(prototype: object, name: string, make: (original: Method) => Method): () => void {
  let owner: object | null = prototype;
  while (owner !== null && !Object.prototype.hasOwnProperty.call(owner, name)) {
    owner = Object.getPrototypeOf(owner) as object | null;
  }
  const methods = owner as Methods | null;
  const original = methods?.[name];
  if (methods === null || original === undefined || WRAPPED in original) return () => undefined;
  const covering = make(original);
  let current = covering;
  const wrapper = function (this: never, ...args: unknown[]) {
    return current.apply(this, args);
  };
  Object.defineProperty(wrapper, WRAPPED, { value: true });
  methods[name] = wrapper;
  return () => {
    current = original;
    if (methods[name] === wrapper) methods[name] = original;
  };
}

/** The active context, if it is one that can end. */
function cancellable(): Context | undefined {
  const active = context.active();
  return nodeOf(active) === undefined ? undefined : from(active);
}

/** Leaves a call as it is, but for its callback, which keeps the asynchronous context of its caller. */
function passOn(original: Method, self: unknown, args: unknown[]): unknown {
  const last = args.at(-1);
  if (typeof last === 'function' && context.active() !== ROOT_CONTEXT) {
    args = [...args.slice(0, -1), AsyncResource.bind(last as Callback)];
  }
  return original.apply(self as never, args);
}

function clientQuery(original: Method, options: PgOptions): Method {
  return function (this: DriverClient, ...args: unknown[]) {
    const [config, values, callback] = args;
    if (callerOf(config) !== undefined) return original.apply(this as never, args);
    const ctx = cancellable();
    if (ctx === undefined || config === null || config === undefined) return passOn(original, this, args);
    if (isSubmittable(config)) {
      const given = typeof values === 'function' ? values : callback;
      if (typeof given === 'function') config.callback ??= given as Callback;
      return submit(ctx, this, config, options);
    }
    const query = createQuery(this, config, values, callback);
    if (query === undefined) return passOn(original, this, args);
    if (query.callback !== undefined) {
      // pg refuses such a callback, and says so.
      if (typeof query.callback !== 'function') return original.apply(this as never, args);
      submit(ctx, this, query, options);
      return undefined;
    }
    const result = new (this._Promise ?? Promise)((resolve, reject) => {
      query.callback = (error, answer) => (error ? reject(error) : resolve(answer));
    });
    submit(ctx, this, query, options);
    return withCallersStack(ctx, result);
  };
}

function poolQuery(original: Method, options: PgOptions): Method {
  return function (this: DriverPool, ...args: unknown[]) {
    const [config] = args;
    const ctx = cancellable();
    if (ctx === undefined || typeof config === 'function' || isSubmittable(config)) {
      return passOn(original, this, args);
    }
    const values = typeof args[1] === 'function' ? undefined : args[1];
    const callback = typeof args[1] === 'function' ? args[1] : args[2];
    return answering(ctx, this, callback, (done) => submitToPool(ctx, this, config, values, done, options));
  };
}

function poolConnect(original: Method): Method {
  return function (this: DriverPool, ...args: unknown[]) {
    const ctx = cancellable();
    if (ctx === undefined) return passOn(original, this, args);
    return answering(ctx, this, args[0], (done) => checkout(ctx, this, done));
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

/** Tells a notice in the asynchronous context of the query that the server works on. */
function notice(original: Method): Method {
  return function (this: DriverClient, ...args: unknown[]) {
    const active = '_activeQuery' in this ? this._activeQuery : this.activeQuery;
    const caller = callerOf(active);
    if (caller === undefined) return original.apply(this as never, args);
    return caller.runInAsyncScope(() => original.apply(this as never, args));
  };
}
