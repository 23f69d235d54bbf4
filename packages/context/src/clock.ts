/**
 * The one place where time comes from. Deadlines are monotonic, so that a step of the system clock moves
 * none of them; wall time is read only to show a deadline as a Date and to take one.
 */
export interface Clock {
  /** Monotonic milliseconds, with a fraction. */
  now(): number;
  /** Milliseconds since the epoch, for `Date`. */
  wallNow(): number;
  /** Arms a timer that must not keep the process alive unless `ref` is true. `delay` is at most 2^31-1. */
  setTimer(fn: () => void, delay: number, ref: boolean): unknown;
  clearTimer(timer: unknown): void;
}

interface UnrefTimer {
  unref?(): unknown;
}

/** The real clock. It reads the globals at each call, so that fake timers in tests are seen. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wallNow: () => Date.now(),
  setTimer(fn, delay, ref) {
    const timer: unknown = setTimeout(fn, delay);
    // A browser's timer is a number and keeps nothing alive.
    if (!ref && typeof timer === 'object' && timer !== null) (timer as UnrefTimer).unref?.();
    return timer;
  },
  clearTimer(timer) {
    clearTimeout(timer as number);
  },
};
