import { clock } from '../core';

/**
 * The time that figures go by: monotonic, whatever the clock in force does. Set back, or no number for a while, it
 * stands still until the clock has caught up, so that no counter falls and no end is lost. This file alone writes it.
 */
export interface RisingClock {
  /** Monotonic ms. */
  latest: number;
}

export function createRisingClock(): RisingClock {
  const now = clock().now();
  return { latest: Number.isFinite(now) ? now : 0 };
}

/** The time; `read` is what the clock said, where it has been asked already. */
export function risingNow(rising: RisingClock, read = clock().now()): number {
  if (read > rising.latest && read < Infinity) rising.latest = read;
  return rising.latest;
}

/** An instant that has passed, as far as it is one: never after `now`. */
export function passed(at: number, now: number): number {
  return at <= now ? at : now;
}
