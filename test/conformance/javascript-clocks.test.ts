import {
  background,
  isDeadlineExceeded,
  onEnd,
  withCancel,
  withDeadline,
  withTimeout,
} from '@curfew/context';
import { nodeOf, subscribe, systemClock, useClock } from '@curfew/context/spi';
import { row } from './row';
import { expectTypeError, manualClock, spawned, thrown } from './support';

const clock = manualClock();
const HOUR = 3_600_000;

row(
  'J12',
  'NaN and what is no number are refused; 0 and less have passed; Infinity is no deadline; fractions count',
  () => {
    const strange = ['5', 5n, null, undefined, {}, new Date()] as unknown as number[];
    expectTypeError(...strange.map((ms) => () => withTimeout(background(), ms)));
    expect(thrown(() => withTimeout(background(), NaN))).toMatchObject({
      name: 'RangeError',
      message: expect.stringMatching(/^ms /),
    });
    for (const ms of [0, -0, -1, -1e300, -Infinity]) {
      expect(isDeadlineExceeded(withTimeout(background(), ms)[0].err())).toBe(true);
    }
    const [never, cancel] = withTimeout(background(), Infinity);
    expect([never.remaining(), never.deadline(), clock.timers.length]).toEqual([Infinity, undefined, 0]);
    cancel('why');
    expect(never.cause()).toBe('why');
    const [fraction] = withTimeout(background(), 10.4);
    expect(clock.timers.map(({ at }) => at - clock.now())).toEqual([11]);
    clock.block(10.3);
    expect(fraction.err()).toBeUndefined();
    clock.block(0.2);
    expect(isDeadlineExceeded(fraction.err())).toBe(true);
  },
);

row('J13', 'beyond 2^31-1 ms the timer is armed in steps', () => {
  const pairs = [2 ** 31, 30 * 24 * HOUR, 2 ** 53].map((ms) => withTimeout(background(), ms));
  const contexts = pairs.map(([ctx]) => ctx);
  clock.advance(2 ** 31 - 1);
  expect(contexts.map((ctx) => ctx.err())).toEqual([undefined, undefined, undefined]);
  clock.advance(1);
  expect(contexts.map((ctx) => isDeadlineExceeded(ctx.err()))).toEqual([true, false, false]);
  clock.advance(30 * 24 * HOUR - 2 ** 31);
  expect(contexts.map((ctx) => isDeadlineExceeded(ctx.err()))).toEqual([true, true, false]);
  expect(Math.max(...clock.timers.map(({ at }) => at - clock.now()))).toBeLessThan(2 ** 31);
  for (const [, cancel] of pairs) cancel();
});

row('J14', 'a timer that fires early is armed again: exceeded means that the clock says so', () => {
  const [ctx] = withTimeout(background(), 3);
  const { signal } = ctx;
  for (const early of [2.1, 0.8]) {
    const [timer] = clock.timers;
    clock.block(early);
    clock.clearTimer(timer);
    timer?.fn();
    expect(signal.aborted).toBe(false);
  }
  clock.advance(0.1);
  expect(signal.aborted).toBe(false);
  clock.advance(0.9);
  expect(signal.aborted).toBe(true);
});

row(
  'J15',
  'a deadline does not keep the process alive, unless asked to: exit code 13 at a top-level await',
  () => {
    const waits = (ms: number, options: string) =>
      spawned(
        `
      const [ctx] = c.withTimeout(c.background(), ${ms}, ${options});
      await c.race(ctx, new Promise(() => undefined)).catch((error) => console.log(error.name));
    `,
        { module: true },
      );
    // Longer than a busy machine takes to find that there is nothing else to do.
    const unref = waits(60_000, '{}');
    expect([unref.status, unref.lines]).toEqual([13, []]);
    const ref = waits(20, '{ ref: true }');
    expect([ref.status, ref.lines]).toEqual([0, ['TimeoutError']]);
  },
);

row('J16', 'a step of the system clock moves no deadline', () => {
  const { wallNow } = clock;
  for (const step of [HOUR, -HOUR]) {
    clock.wallNow = wallNow;
    const [ctx] = withTimeout(background(), 200);
    const shown = ctx.deadline();
    clock.wallNow = () => wallNow() + step;
    expect([ctx.remaining(), ctx.deadline()]).toEqual([200, shown]);
    clock.advance(199);
    expect(ctx.err()).toBeUndefined();
    clock.advance(1);
    expect(isDeadlineExceeded(ctx.err())).toBe(true);
  }
});

row('J17', 'an absolute deadline is converted once, and shown as it was given', () => {
  const at = new Date(clock.wallNow() + 100);
  const given = new Date(at);
  const [ctx] = withDeadline(background(), given);
  const { wallNow } = clock;
  clock.wallNow = () => wallNow() - HOUR;
  given.setTime(0);
  clock.advance(60);
  expect([ctx.remaining(), ctx.deadline()]).toEqual([40, at]);
  expect(isDeadlineExceeded(withDeadline(background(), clock.wallNow() - 1)[0].err())).toBe(true);
});

row(
  'J18',
  'deadlines measure awake time: what only the wall clock saw, as a suspended machine does, is not counted',
  () => {
    const [ctx] = withTimeout(background(), 1000);
    const { wallNow } = clock;
    clock.wallNow = () => wallNow() + 8 * HOUR;
    clock.advance(999);
    expect([ctx.err(), ctx.remaining()]).toEqual([undefined, 1]);
    clock.advance(1);
    expect(isDeadlineExceeded(ctx.err())).toBe(true);
  },
);

row(
  'J19',
  'the clock reads the globals at each call, so that fake timers are seen; a clock can be injected',
  () => {
    const back = useClock(systemClock);
    jest.useFakeTimers();
    const [ctx] = withTimeout(background(), 30 * 24 * HOUR);
    const { signal } = ctx;
    jest.advanceTimersByTime(30 * 24 * HOUR - 1);
    const before = signal.aborted;
    jest.advanceTimersByTime(1);
    const after = signal.aborted;
    jest.useRealTimers();
    back();
    expect([before, after]).toEqual([false, true]);
  },
);

row(
  'J20',
  'a deadline that passed while the loop was blocked: err, a microtask loop and a derivation see it',
  async () => {
    const [seen] = withTimeout(background(), 10);
    clock.block(60);
    expect(isDeadlineExceeded(seen.err())).toBe(true);

    const [polled] = withTimeout(background(), 10);
    let polls = 0;
    while (polled.err() === undefined) {
      await Promise.resolve();
      clock.block(0.5);
      polls++;
    }
    expect(polls).toBe(20);

    const [parent] = withTimeout(background(), 10);
    clock.block(60);
    expect(withCancel(parent)[0].signal.aborted).toBe(true);

    const lateness: unknown[] = [];
    const stop = subscribe({
      contextEnded: ({ ending: { detectedBy, markedAt, at } }) =>
        void lateness.push([detectedBy, markedAt - at]),
    });
    const [late] = withTimeout(background(), 10);
    clock.block(60);
    late.err();
    stop();
    expect(lateness).toEqual([['check', 50]]);
  },
);

row(
  'J21',
  'deadlines that passed together are noticed in order of expiry, by the timer and by a check',
  () => {
    const said: number[] = [];
    const make = () => [30, 10, 20].map((ms) => onEnd(withTimeout(background(), ms)[0], () => said.push(ms)));
    make();
    clock.block(60);
    clock.advance(0);
    expect(said).toEqual([10, 20, 30]);
  },
);

row('J22', 'a controller is made only where a signal is read, and no error where nobody asks', () => {
  const made = jest.fn();
  const Native = globalThis.AbortController;
  globalThis.AbortController = class extends Native {
    constructor() {
      super();
      made();
    }
  };
  const parents: Error[] = [];
  try {
    for (let life = 0; life < 1000; life++) {
      const [parent, cancel] = withCancel(background());
      const [child] = withTimeout(parent, 1e6);
      onEnd(child, () => undefined);
      cancel('why');
      if (life === 0) parents.push(parent.err()!);
      else expect(nodeOf(parent)?.ending?.error).toBeUndefined();
    }
    expect(made).not.toHaveBeenCalled();
    const [{ signal }] = withCancel(background());
    expect([signal.aborted, made.mock.calls.length]).toEqual([false, 1]);
  } finally {
    globalThis.AbortController = Native;
  }
  // No stack: it would name the reader, and cost more than all the rest.
  expect(parents[0]?.stack).toBe('AbortError: context canceled');
});

row('J23', "two nodes with one deadline: the parent goes first, and its cause is the child's", () => {
  const order: string[] = [];
  const [parent] = withTimeout(background(), 50, { cause: 'parent' });
  const [child] = withTimeout(parent, 50, { cause: 'child' });
  onEnd(child, () => order.push('child'));
  onEnd(parent, () => order.push('parent'));
  clock.advance(50);
  expect([order, child.cause()]).toEqual([['parent', 'child'], 'parent']);
});

row('J24', 'a cancel after the deadline passed in a blocked loop: the deadline wins', () => {
  const [ctx, cancel] = withTimeout(background(), 50);
  const [child, cancelChild] = withCancel(ctx);
  clock.block(60);
  cancelChild('too late');
  cancel('too late');
  expect([ctx, child].map((each) => [isDeadlineExceeded(each.err()), each.cause() === ctx.err()])).toEqual([
    [true, true],
    [true, true],
  ]);
});

row('J25', 'a timer whose callback was queued when the cancel came does nothing', () => {
  const [ctx, cancel] = withTimeout(background(), 50);
  const told = jest.fn();
  onEnd(ctx, told);
  const [timer] = clock.timers;
  clock.block(49);
  cancel('in time');
  clock.block(1);
  clock.clearTimer(timer);
  timer?.fn();
  expect([ctx.cause(), told.mock.calls.length]).toEqual(['in time', 1]);
});
