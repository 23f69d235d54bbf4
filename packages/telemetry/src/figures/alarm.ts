import { MAX_DELAY, type Clock } from '@curfew/context/spi';
import { clock } from '../core';

/**
 * One timer for the next instant at which something has to be noticed; it keeps no process alive. The clock in force
 * can be changed, and nobody is told: a timer is taken back from the clock that it was set by, and set anew by the
 * present one whenever it is asked for again, at the latest when figures are read.
 */
export interface Alarm {
  /** Rings at an instant, `at`, monotonic ms; `Infinity`: never. In place of the one before. */
  set(at: number, now: number): void;
  /** Moves what is set to the clock in force, if that is another one by now. */
  renew(now: number): void;
  stop(): void;
}

export function createAlarm(ring: () => void): Alarm {
  let instant = Infinity;
  let timer: unknown;
  let setBy: Clock | undefined;
  let stopped = false;

  function clear(): void {
    if (timer !== undefined) setBy?.clearTimer(timer);
    timer = undefined;
    instant = Infinity;
  }

  function set(at: number, now: number): void {
    const present = clock();
    if (stopped || (at === instant && setBy === present)) return;
    clear();
    if (at === Infinity) return;
    instant = at;
    setBy = present;
    const delay = Math.min(MAX_DELAY, Math.max(1, Math.ceil(at - now)));
    timer = present.setTimer(
      () => {
        timer = undefined;
        instant = Infinity;
        ring();
      },
      delay,
      false,
    );
  }

  return {
    set,
    renew(now) {
      if (instant !== Infinity) set(instant, now);
    },
    stop() {
      stopped = true;
      clear();
    },
  };
}
