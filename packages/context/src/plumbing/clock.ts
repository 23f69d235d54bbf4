import { builtin } from './builtin';

/** The longest delay in ms that a timer takes: beyond 2^31-1 Node fires at once. Longer waits are armed in steps. */
export const MAX_DELAY = 2 ** 31 - 1;

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

type Snapshot = <T>(fn: () => T) => T;
interface AsyncHooks {
  readonly AsyncLocalStorage?: { snapshot?(): Snapshot };
}

/**
 * Timers are armed as if by this module's loader: the one timer serves the deadlines of all requests, and must
 * neither carry the AsyncLocalStorage of the one that happened to arm it to the others, nor keep it alive.
 */
const detached: Snapshot =
  builtin<AsyncHooks>('node:async_hooks')?.AsyncLocalStorage?.snapshot?.() ?? ((fn) => fn());

/** The real clock. It reads the globals at each call, so that fake timers in tests are seen. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wallNow: () => Date.now(),
  setTimer(fn, delay, ref) {
    const timer: unknown = detached(() => setTimeout(fn, delay));
    // A browser's timer is a number and keeps nothing alive.
    if (!ref && typeof timer === 'object' && timer !== null) (timer as UnrefTimer).unref?.();
    return timer;
  },
  clearTimer(timer) {
    clearTimeout(timer as number);
  },
};
