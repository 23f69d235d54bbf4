import { clock } from '@curfew/context/spi';

/**
 * The time that figures go by: monotonic, whatever the clock in force does. Set back, or no number for a while, it
 * stands still until the clock has caught up, so that no counter falls and no end is lost.
 */
export interface Steady {
  /** Monotonic ms. */
  latest: number;
}

export function createSteady(): Steady {
  const now = clock().now();
  return { latest: Number.isFinite(now) ? now : 0 };
}

/** The time; `read` is what the clock said, where it has been asked already. */
export function steadyNow(steady: Steady, read = clock().now()): number {
  if (read > steady.latest && read < Infinity) steady.latest = read;
  return steady.latest;
}

/** An instant that has passed, as far as it is one: never after `now`. */
export function passed(at: number, now: number): number {
  return at <= now ? at : now;
}
