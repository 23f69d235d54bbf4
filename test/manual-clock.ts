import { useClock, type Clock } from '@curfew/context/spi';

interface Timer {
  readonly at: number;
  readonly fn: () => void;
  readonly ref: boolean;
}

/** A clock that moves when told, with timers that fire in order on the way. */
export interface ManualClock extends Clock {
  advance(ms: number): void;
  /** Moves time without firing timers: a blocked event loop. */
  block(ms: number): void;
  readonly timers: readonly Timer[];
}

/** Puts a manual clock in force; `restore` puts the real one back. */
export function useManualClock(wall = Date.UTC(2026, 0, 1)): { clock: ManualClock; restore: () => void } {
  let now = 1000;
  const timers: Timer[] = [];
  const clock: ManualClock = {
    now: () => now,
    wallNow: () => wall + now - 1000,
    setTimer(fn, delay, ref) {
      const timer = { at: now + delay, fn, ref };
      timers.push(timer);
      return timer;
    },
    clearTimer(timer) {
      const index = timers.indexOf(timer as Timer);
      if (index >= 0) timers.splice(index, 1);
    },
    advance(ms) {
      const until = now + ms;
      for (;;) {
        const next = timers.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
        if (next === undefined) break;
        now = Math.max(now, next.at);
        clock.clearTimer(next);
        next.fn();
      }
      // A callback may have blocked for longer.
      now = Math.max(now, until);
    },
    block(ms) {
      now += ms;
    },
    timers,
  };
  return { clock, restore: useClock(clock) };
}
