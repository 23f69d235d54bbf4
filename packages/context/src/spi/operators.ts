import { checkFunction, wrongType } from '../plumbing/arguments';
import type { Clock } from '../plumbing/clock';
import { runtime } from '../plumbing/runtime';

// What whoever runs or tests a program sets: the clock, and whether anything is carried out.

export { setGuard } from '../guard/guard';
export { systemClock, type Clock } from '../plumbing/clock';

/**
 * Puts another clock in force, for tests; returns how to put the former one back. Deadlines that were set before keep
 * their instant, which another clock may reach sooner or never: change clocks while none is live.
 *
 * @throws TypeError if one of the four methods is missing.
 * @example
 * ```ts
 * import { background, withTimeout } from '@curfew/context';
 * import { systemClock, useClock } from '@curfew/context/spi';
 * let now = 0;
 * const restore = useClock({ ...systemClock, now: () => now });
 * const [ctx] = withTimeout(background(), 1_000);
 * now = 999.5;
 * ctx.remaining(); // => 0.5
 * now = 1_000;
 * ctx.err()?.name; // => 'TimeoutError'
 * restore();
 * ```
 */
export function useClock(replacement: Clock): () => void {
  for (const method of ['now', 'wallNow', 'setTimer', 'clearTimer'] as const) {
    checkFunction((replacement as Clock | undefined)?.[method], `replacement.${method}`);
  }
  const former = runtime.clock;
  swap(replacement);
  return () => swap(former);
}

function swap(replacement: Clock): void {
  const { deadlines } = runtime;
  deadlines?.disarm();
  runtime.clock = replacement;
  deadlines?.rearm();
}

/**
 * Live deadlines, and whether a timer is armed for them. One timer serves them all; it may stay armed for a moment
 * after the last one, unref'd.
 *
 * @example
 * ```ts
 * import { background, withTimeout } from '@curfew/context';
 * import { deadlineStatus } from '@curfew/context/spi';
 * const before = deadlineStatus().live;
 * const [ctx, cancel] = withTimeout(background(), 1_000);
 * withTimeout(ctx, 5_000); // covered by its parent's: none of its own
 * deadlineStatus().live - before; // => 1
 * cancel();
 * deadlineStatus().live - before; // => 0
 * ```
 */
export function deadlineStatus(): { readonly live: number; readonly armed: boolean } {
  return { live: runtime.deadlines?.size ?? 0, armed: runtime.deadlines?.armed ?? false };
}

/**
 * `false` is observe mode, the kill switch: what Curfew adds (an end that is `automatic`, a limit of `withLimit`) is told
 * to `cancellationObserved` and not carried out. What the program itself says (its cancels, its deadlines, its signals)
 * works as ever. It holds for limits set and ends told from now on. Returns how to put the former mode back.
 *
 * @throws TypeError if `enforce` is no boolean: a string from the environment would be true, whatever it says.
 * @example
 * ```ts
 * import { background, withTimeout } from '@curfew/context';
 * import { setEnforcement, subscribe, withLimit } from '@curfew/context/spi';
 * const observed: string[] = [];
 * const stop = subscribe({ cancellationObserved: ({ reason }) => void observed.push(reason) });
 * const restore = setEnforcement(false);
 * const [request] = withLimit(background(), 0);
 * const [own] = withTimeout(request, 0);
 * restore();
 * stop();
 * [observed, request.err(), own.err()?.name]; // => [['deadline_exceeded'], undefined, 'TimeoutError']
 * ```
 */
export function setEnforcement(enforce: boolean): () => void {
  if (typeof enforce !== 'boolean') throw wrongType('enforce', 'a boolean', enforce);
  const former = runtime.enforce;
  runtime.enforce = enforce;
  return () => {
    runtime.enforce = former;
  };
}
