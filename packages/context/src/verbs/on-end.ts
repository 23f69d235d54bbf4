import type { Context as OtelContext } from '@opentelemetry/api';
import { checkContext, checkFunction } from '../plumbing/arguments';
import { addCallback } from '../tree/callback';
import { endOf } from '../tree/carried';

/** On a context that never ends, a callback is never called: stopping it succeeds once. */
export function neverCalled(): () => boolean {
  let stopped = false;
  return () => {
    const first = !stopped;
    stopped = true;
    return first;
  };
}

/**
 * Calls `fn` once, synchronously, when the context ends: after every AbortSignal of the cancelled subtree has
 * aborted, in pre-order and in order of registration, in the OpenTelemetry context active now. Returns `stop`,
 * which tells whether it kept `fn` from being called.
 *
 * On a context that has already ended `fn` is called in a later microtask and `stop` returns false. On one that
 * never ends, or a request that has finished, it is never called. What `fn` throws harms no other listener and
 * surfaces as an uncaught exception, as with native listeners. An AsyncLocalStorage of your own is the canceller's
 * inside `fn`: only OpenTelemetry's context is restored.
 *
 * @throws TypeError if `ctx` is no Context or `fn` no function.
 * @example
 * ```ts
 * import { background, withCancel, onEnd } from '@curfew/context';
 * const [ctx, cancel] = withCancel(background());
 * const said: string[] = [];
 * onEnd(ctx, () => said.push('ended'));
 * cancel();
 * said; // => ['ended']
 * ```
 */
export function onEnd(ctx: OtelContext, fn: () => void): () => boolean {
  checkContext(ctx, 'ctx');
  checkFunction(fn, 'fn');
  const node = endOf(ctx);
  return node === undefined ? neverCalled() : addCallback(node, fn, 'now');
}

/**
 * Go's `context.AfterFunc`: calls `fn` in a turn of its own once the context has ended, in the OpenTelemetry
 * context active now. Returns `stop`, which tells whether it kept `fn` from being called; it does not wait for
 * a call under way. What `fn` throws becomes an uncaught exception, a promise it rejects an unhandled rejection.
 *
 * The turn is a microtask: code after the `cancel()` that ended the context comes first. On a context that has ended
 * `fn` is called all the same; on one that never ends, or a request that has finished, never. Registering a function
 * twice calls it twice.
 *
 * @throws TypeError if `ctx` is no Context or `fn` no function.
 * @example
 * ```ts
 * import { background, withCancel, afterFunc } from '@curfew/context';
 * const [ctx, cancel] = withCancel(background());
 * const said: string[] = [];
 * afterFunc(ctx, () => said.push('after'));
 * const stop = afterFunc(ctx, () => said.push('never'));
 * stop(); // => true
 * cancel();
 * said.push('returned');
 * await Promise.resolve();
 * said; // => ['returned', 'after']
 * stop(); // => false
 * ```
 */
export function afterFunc(ctx: OtelContext, fn: () => unknown): () => boolean {
  checkContext(ctx, 'ctx');
  checkFunction(fn, 'fn');
  const node = endOf(ctx);
  return node === undefined ? neverCalled() : addCallback(node, fn, 'later');
}
