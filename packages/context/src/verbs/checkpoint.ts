import type { Context as OtelContext } from '@opentelemetry/api';
import { checkContext } from '../plumbing/arguments';
import { errorIn } from '../tree/carried';
import { runtime } from '../plumbing/runtime';

/**
 * How long a CPU loop may keep the event loop between two yields, in ms: long enough that yielding costs little,
 * short enough that a request beside it hardly notices.
 */
const YIELD_AFTER = 10;

declare function setImmediate(fn: () => void): unknown;

/** Lets timers, sockets and other requests have their turn. */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === 'function') setImmediate(resolve);
    else setTimeout(resolve, 0);
  });
}

/**
 * For loops that compute: rejects if the context has ended, and yields to the event loop if nobody has for 10 ms,
 * so that a cancellation can arrive at all. Cheap enough for every iteration. The 10 ms are counted for the whole
 * process: several loops share them.
 *
 * @returns A promise that rejects with the context's error, or with a TypeError if `ctx` is no Context.
 * @example
 * ```ts
 * import { background, withTimeout, checkpoint, isDeadlineExceeded } from '@curfew/context';
 * const [ctx] = withTimeout(background(), 20);
 * let error: unknown;
 * try {
 *   for (;;) await checkpoint(ctx);
 * } catch (caught) {
 *   error = caught;
 * }
 * isDeadlineExceeded(error); // => true
 * ```
 */
export async function checkpoint(ctx: OtelContext): Promise<void> {
  checkContext(ctx, 'ctx');
  const throwIfDone = () => {
    const error = errorIn(ctx);
    if (error !== undefined) throw error;
  };
  throwIfDone();
  if (runtime.clock.now() - runtime.yieldedAt < YIELD_AFTER) return;
  await turn();
  runtime.yieldedAt = runtime.clock.now();
  throwIfDone();
}
