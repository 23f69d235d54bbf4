import type { Context as OtelContext } from '@opentelemetry/api';
import { checkContext, wrongType } from '../plumbing/arguments';
import { begin } from '../tree/operation';
import { endOf } from '../tree/carried';
import { untilEnd } from '../tree/wait';

/**
 * The promise's own result, or a rejection with the context's error as soon as the context ends. The loser stays
 * tracked until it settles, as an operation that has let go of its context: its late rejection is handled, and neither
 * the context nor the winner is kept alive by it, however long it lives. A deadline that has passed by the clock wins over a result. Racing stops the waiting and
 * not the work: give whatever can take it `ctx.signal` as well.
 *
 * @throws TypeError if `ctx` is no Context or `promise` no promise.
 * @example
 * ```ts
 * import { background, withTimeout, race, isDeadlineExceeded } from '@curfew/context';
 * const [ctx] = withTimeout(background(), 5, { ref: true });
 * const never = new Promise(() => undefined);
 * await race(ctx, never).catch(isDeadlineExceeded); // => true
 * ```
 */
export function race<T>(ctx: OtelContext, promise: PromiseLike<T>): Promise<T> {
  checkContext(ctx, 'ctx');
  if (typeof (promise as PromiseLike<T> | undefined)?.then !== 'function') {
    throw wrongType('promise', 'a promise', promise);
  }
  // Once: a query builder's `then` runs the query at each call.
  const native = Promise.resolve(promise);
  const node = endOf(ctx);
  if (node === undefined) return native;
  return untilEnd(node, native, begin(node, undefined));
}
