import type { Context as OtelContext } from '@opentelemetry/api';
import { checkContext, wrongType } from './arguments';
import { addCallback } from './callback';
import { errorOf, expireIfDue } from './ending';
import { begin } from './operation';
import type { ContextNode } from './protocol';
import { nodeOf } from './roots';

/**
 * The promise's own result, or a rejection with the context's error as soon as the context ends. The loser stays
 * tracked as an operation of the context until it settles, its late rejection is handled, and nothing of the
 * winner is kept alive by it. A deadline that has passed by the clock wins over a result. Racing stops the waiting and
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
  const node = nodeOf(ctx);
  if (node === undefined) return native;
  const operation = begin(node, undefined);
  const result = untilEnd(node, native);
  const settled = () => operation.settle();
  native.then(settled, settled);
  return result;
}

/** Settles as the promise does, or rejects with the node's error once it ends. */
export function untilEnd<T>(node: ContextNode, promise: Promise<T>): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    // The reactions on a promise that outlives the context hold this one cell, which is emptied when it is over.
    const open: { resolve?: typeof resolve; reject?: typeof reject } = { resolve, reject };
    const ended = () => {
      open.reject?.(errorOf(node));
      delete open.resolve;
      delete open.reject;
    };
    if (node.ending === undefined) expireIfDue(node);
    const over = node.ending !== undefined && !node.ending.retired;
    const stop = over ? () => false : addCallback(node, ended, 'now');
    if (over) ended();
    const settle = (told: () => void) => {
      if (open.resolve === undefined) return;
      if (node.ending === undefined) expireIfDue(node);
      told();
      stop();
    };
    promise.then(
      (value) => settle(() => open.resolve?.(value)),
      (error: unknown) => settle(() => open.reject?.(error)),
    );
  });
}
