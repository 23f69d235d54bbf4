// A clock that moves when told: a deadline passes between two events, never during one.
'use strict';
const { useClock } = require('@curfew/context/spi');

/** Puts a manual clock in force. */
exports.useManualClock = function useManualClock() {
  const start = Date.now();
  let now = 0;
  const timers = new Set();
  const clock = {
    now: () => now,
    wallNow: () => start + now,
    setTimer(fn, delay) {
      const timer = { at: now + delay, fn };
      timers.add(timer);
      return timer;
    },
    clearTimer: (timer) => void timers.delete(timer),
    /** Moves time, and fires what is due on the way. */
    advance(ms) {
      const until = now + ms;
      for (;;) {
        const [next] = [...timers].filter(({ at }) => at <= until).sort((a, b) => a.at - b.at);
        if (next === undefined) break;
        now = Math.max(now, next.at);
        timers.delete(next);
        next.fn();
      }
      now = until;
    },
    /** Moves time and fires nothing: a blocked event loop. */
    block(ms) {
      now += ms;
    },
  };
  useClock(clock);
  return clock;
};
