import { systemClock, useClock } from '@curfew/context/spi';

/** What is asked of a clock. */
export interface AskedOfClock {
  readings: number;
  timers: number;
}

/** Counts what is asked of the system's clock, from now on, into `asked`; returns how to put the former clock back. */
export function useCountingClock(asked: AskedOfClock): () => void {
  const restore = useClock({
    ...systemClock,
    now: () => (asked.readings++, systemClock.now()),
    wallNow: () => (asked.readings++, systemClock.wallNow()),
    setTimer: (...timer) => (asked.timers++, systemClock.setTimer(...timer)),
  });
  // The timer of deadlines that live already has gone over to it.
  Object.assign(asked, { readings: 0, timers: 0 } satisfies AskedOfClock);
  return restore;
}
