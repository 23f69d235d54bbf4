import type { Context as OtelContext } from '@opentelemetry/api';
import { context } from '@opentelemetry/api';
import { checkContext, checkFunction, checkOptions, wrongType } from '../plumbing/arguments';
import { OPERATION_KEY } from '../plumbing/keys';
import { inside } from '../plumbing/current-operation';
import { begin } from '../tree/operation';
import type { Operation } from '../plumbing/protocol';
import { endOf } from '../tree/carried';
import { from } from './roots';
import type { Context, OperationOptions } from '../plumbing/types';

/**
 * Calls `fn` with `ctx` active and tracks it as an operation until it returns or its promise settles. The return
 * value is `fn`'s own, but for a native promise, where it is the derived one: use it in place of the given one.
 * Other thenables are returned untouched, and count as settled. A context that has ended keeps `fn` from nothing: ask
 * it, or use `scope`.
 *
 * @throws TypeError if `ctx` is no Context or `fn` no function; otherwise whatever `fn` throws.
 * @example
 * ```ts
 * import { background, withCancel, run } from '@curfew/context';
 * const [ctx, cancel] = withCancel(background());
 * using _ = cancel;
 * await run(ctx, { name: 'load' }, async () => 42); // => 42
 * ```
 */
export function run<T>(ctx: OtelContext, fn: (ctx: Context) => T): T;
export function run<T>(ctx: OtelContext, options: OperationOptions, fn: (ctx: Context) => T): T;
export function run<T>(
  ctx: OtelContext,
  second: OperationOptions | ((ctx: Context) => T),
  third?: (ctx: Context) => T,
): T {
  const [options, fn] = typeof second === 'function' ? [undefined, second] : [second, third];
  checkContext(ctx, 'ctx');
  checkOptions(options, 'options');
  checkFunction(fn, 'fn');
  const work = fn as (ctx: Context) => T;
  const view = from(ctx);
  const node = endOf(ctx);
  if (node === undefined) return context.with(view, work as (ctx: unknown) => T, undefined, view);
  const operation = begin(node, options);
  let result: T;
  try {
    result = inside(view.setValue(OPERATION_KEY, operation), operation, work);
  } catch (error) {
    operation.settle();
    throw error;
  }
  if (isPromise(result)) return settleWith(operation, result) as T;
  operation.settle();
  return result;
}

/**
 * Tracks work that is already under way as an operation of `ctx`, until the promise settles. Returns a promise
 * to use in place of the given one. Tracking alone never makes a rejection count as handled. It changes nothing
 * about the promise: to stop waiting for it when the context ends, use `race`.
 *
 * @throws TypeError if `ctx` is no Context or `promise` no promise.
 * @example
 * ```ts
 * import { background, withCancel, track } from '@curfew/context';
 * import { subscribe } from '@curfew/context/spi';
 * const settled: (string | undefined)[] = [];
 * const stop = subscribe({ operationSettled: ({ name }) => void settled.push(name) });
 * const [ctx, cancel] = withCancel(background());
 * await track(ctx, Promise.resolve(42), { name: 'lookup', kind: 'client' }); // => 42
 * settled; // => ['lookup']
 * cancel();
 * stop();
 * ```
 */
export function track<T>(ctx: OtelContext, promise: PromiseLike<T>, options?: OperationOptions): Promise<T> {
  checkContext(ctx, 'ctx');
  if (typeof (promise as PromiseLike<T> | undefined)?.then !== 'function') {
    throw wrongType('promise', 'a promise', promise);
  }
  checkOptions(options, 'options');
  const node = endOf(ctx);
  if (node === undefined) return Promise.resolve(promise);
  return settleWith(begin(node, options), Promise.resolve(promise));
}

function settleWith<T>(operation: Operation, promise: Promise<T>): Promise<T> {
  return promise.then(
    (value) => {
      operation.settle();
      return value;
    },
    (error: unknown) => {
      operation.settle();
      throw error;
    },
  );
}

/** Whether a value is a promise of this or another realm: told by its tag, since `instanceof` fails across realms. */
function isPromise(value: unknown): value is Promise<unknown> {
  if (typeof value !== 'object' || value === null) return false;
  try {
    return Object.prototype.toString.call(value) === '[object Promise]';
  } catch {
    // A proxy whose traps throw is passed on as it is.
    return false;
  }
}
