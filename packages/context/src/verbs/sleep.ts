import type { Context as OtelContext } from '@opentelemetry/api';
import { checkContext, checkDuration } from '../plumbing/arguments';
import { addCallback } from '../tree/callback';
import { MAX_DELAY } from '../plumbing/clock';
import { errorOf, expireIfDue } from '../tree/ending';
import { endOf } from '../tree/carried';
import { runtime } from '../plumbing/runtime';

/**
 * Resolves after `ms` milliseconds, or rejects with the context's error as soon as it ends, and clears its timer.
 * Zero and negative resolve in the next turn, `Infinity` waits for the context. As a plain timer does, a sleep
 * keeps the process alive.
 *
 * @param ms Milliseconds; fractions count. Any number up to Infinity: long ones are waited for in steps.
 * @throws TypeError if `ctx` is no Context or `ms` no number; RangeError if `ms` is NaN.
 * @example
 * ```ts
 * import { background, withCancel, sleep, isCanceled } from '@curfew/context';
 * const [ctx, cancel] = withCancel(background());
 * await sleep(ctx, 1);
 * const long = sleep(ctx, 60_000);
 * cancel();
 * await long.catch(isCanceled); // => true
 * ```
 */
export function sleep(ctx: OtelContext, ms: number): Promise<void> {
  checkContext(ctx, 'ctx');
  checkDuration(ms, 'ms');
  const node = endOf(ctx);
  if (node !== undefined && node.ending === undefined) expireIfDue(node);
  if (node?.ending !== undefined && !node.ending.retired) return Promise.reject(errorOf(node));
  return new Promise<void>((resolve, reject) => {
    const { clock } = runtime;
    const until = clock.now() + ms;
    let timer: unknown;
    const stop =
      node === undefined
        ? undefined
        : addCallback(
            node,
            () => {
              clock.clearTimer(timer);
              reject(errorOf(node));
            },
            'now',
          );
    const wait = () => {
      const left = until - clock.now();
      if (left <= 0 && timer !== undefined) {
        // The clock decides: a deadline that passed during the sleep rejects it from within.
        if (node !== undefined && node.ending === undefined) expireIfDue(node);
        stop?.();
        resolve();
        return;
      }
      timer = clock.setTimer(wait, Math.min(MAX_DELAY, Math.max(0, Math.ceil(left))), true);
    };
    wait();
  });
}
