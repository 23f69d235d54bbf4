import {
  background,
  isDeadlineExceeded,
  onEnd,
  withCancel,
  withDeadline,
  withTimeout,
  type Cancel,
  type Context,
} from '@curfew/context';
import {
  deadlineStatus,
  end,
  nodeOf,
  retire,
  setEnforcement,
  subscribe,
  withLimit,
  type Ending,
} from '@curfew/context/spi';
import { spawnSync } from 'node:child_process';
import { useManualClock, type ManualClock } from '../../../test/manual-clock';

let clock: ManualClock;
let restore: () => void;
beforeEach(() => ({ clock, restore } = useManualClock()));
afterEach(() => restore());

const deadlinePassed = (ctx: Context) => isDeadlineExceeded(ctx.err());

test('a blocked event loop cannot hide a passed deadline: err, derive and cancel compare the clock first', () => {
  for (const look of ['err', 'derive', 'cancel', 'signal'] as const) {
    const [ctx, cancel] = withTimeout(background(), 50);
    clock.block(60);
    if (look === 'derive') expect(withCancel(ctx)[0].err()).toBe(ctx.err());
    if (look === 'cancel') cancel(new Error('too late'));
    if (look === 'signal') expect(ctx.signal.aborted).toBe(true);
    expect(ctx.err()?.message).toBe('context deadline exceeded');
    expect(ctx.signal.aborted).toBe(true);
  }
});

test('err is never defined while the signal is not aborted', () => {
  const [ctx] = withTimeout(background(), 50);
  const { signal } = ctx;
  clock.block(60);
  expect(signal.aborted).toBe(false);
  expect(ctx.err()).toBeDefined();
  expect(signal.aborted).toBe(true);
});

test('a timer that fires early is armed again for the rest', () => {
  const [ctx] = withTimeout(background(), 10.4);
  const [timer] = clock.timers;
  expect((timer?.at ?? 0) - clock.now()).toBe(11);
  clock.block(9.9);
  clock.clearTimer(timer);
  timer?.fn();
  expect(ctx.signal.aborted).toBe(false);
  clock.advance(1);
  expect(ctx.signal.aborted).toBe(true);
});

test('thirty days are armed in steps that a timer can take', () => {
  const month = 30 * 24 * 3600 * 1000;
  const [ctx] = withTimeout(background(), month);
  expect(clock.timers.map(({ at }) => at - clock.now())).toEqual([2 ** 31 - 1]);
  clock.advance(month - 1);
  expect(ctx.err()).toBeUndefined();
  clock.advance(1);
  expect(isDeadlineExceeded(ctx.err())).toBe(true);
});

test('the lateness of a deadline is told: by the timer, or by whoever looked first', () => {
  const ends: Ending[] = [];
  const stop = subscribe({ contextEnded: ({ ending }) => void ends.push(ending) });
  withTimeout(background(), 50);
  clock.advance(50);
  const [late] = withTimeout(background(), 50);
  clock.block(130);
  late.err();
  stop();
  expect(ends.map(({ detectedBy, at, markedAt }) => [detectedBy, markedAt - at])).toEqual([
    ['timer', 0],
    ['check', 80],
  ]);
});

test('one timer serves all deadlines, is moved for an earlier one, and is cleared a second after the last has gone', () => {
  const pairs = [50, 40, 60, 30].map((ms) => withTimeout(background(), 3_600_000 + ms));
  expect(clock.timers.map(({ at, ref }) => [at - clock.now(), ref])).toEqual([[3_600_030, false]]);
  for (const [, cancel] of pairs) cancel();
  for (let life = 0; life < 1000; life++) withTimeout(background(), 3_600_000)[1]();
  expect(deadlineStatus().live).toBe(0);
  expect(clock.timers.map(({ ref }) => ref)).toEqual([false, false]);
  clock.advance(1000);
  expect(clock.timers).toHaveLength(0);
  expect(deadlineStatus().armed).toBe(false);
});

test('a hundred thousand released deadlines leave nothing behind while one stays', () => {
  const [keeper, cancel] = withTimeout(background(), 1e6);
  for (let index = 0; index < 100_000; index++) withTimeout(background(), 1000 + index)[1]();
  expect(deadlineStatus().live).toBe(1);
  clock.advance(200_000);
  expect(keeper.err()).toBeUndefined();
  cancel();
});

test('deadlines fire in order of time, equal ones in order of making', () => {
  const said: number[] = [];
  [30, 10, 20, 10].forEach((ms, index) => onEnd(withTimeout(background(), ms)[0], () => said.push(index)));
  clock.advance(30);
  expect(said).toEqual([1, 3, 2, 0]);
});

test('a timer is set anew for an earlier deadline alone, and never for less than a millisecond', () => {
  const set = jest.spyOn(clock, 'setTimer');
  withTimeout(background(), 50);
  withTimeout(background(), 60);
  expect(set).toHaveBeenCalledTimes(1);
  clock.block(55);
  withTimeout(background(), 20, { ref: true });
  expect(set.mock.calls.map(([, delay]) => delay)).toEqual([50, 1]);
  clock.advance(20);
});

test('one that passes after all others have, or after the timer was looked at for nothing, is noticed too', () => {
  for (const idle of [false, true]) {
    const [first, release] = withTimeout(background(), 10);
    if (idle) release();
    else clock.advance(10);
    expect(first.signal.aborted).toBe(true);
    // Read before: reading it asks the clock.
    const { signal } = withTimeout(background(), 5000)[0];
    clock.advance(5000);
    expect(signal.aborted).toBe(true);
  }
});

test('those of one instant end together, although one between them was released', () => {
  const pairs = [1, 2, 3].map(() => withTimeout(background(), 10));
  const signals = pairs.map(([{ signal }]) => signal);
  pairs[1]?.[1]('why');
  clock.advance(10);
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, true, true]);
});

test('once nothing that is to keep the process alive is left, the timer does not, each time anew', async () => {
  const [, release] = withTimeout(background(), 1e6);
  for (let round = 0; round < 2; round++) {
    withTimeout(background(), 2e6, { ref: true })[1]();
    await Promise.resolve();
    expect(clock.timers.map(({ ref }) => ref)).toEqual([false]);
  }
  release();
});

test('another clock takes over with no timer left on the one before', () => {
  withTimeout(background(), 50)[1]();
  expect(clock.timers).toHaveLength(2);
  const next = useManualClock();
  expect(clock.timers).toHaveLength(0);
  const { signal } = withTimeout(background(), 50)[0];
  next.restore();
  expect([next.clock.timers.length, clock.timers.length]).toEqual([0, 1]);
  clock.advance(50);
  expect(signal.aborted).toBe(true);
});

test('hundreds of deadlines set in any order fire in order of time, those of the same instant in order of making, and no released one does', () => {
  const fired: number[] = [];
  const pairs = Array.from({ length: 500 }, (_, index) => {
    // In any order, several at each instant.
    const at = 1 + ((index * 7919) % 173);
    const pair = withTimeout(background(), at);
    onEnd(pair[0], () => deadlinePassed(pair[0]) && fired.push(at * 1000 + index));
    return pair;
  });
  // More of them than stay: what is left is set in order anew.
  for (const [index, [, release]] of pairs.entries()) if (index % 4 !== 0) release();
  expect(deadlineStatus().live).toBe(125);
  clock.advance(173);
  expect(fired).toEqual([...fired].sort((a, b) => a - b));
  expect([fired.length, deadlineStatus().live]).toEqual([125, 0]);
});

test("a parent's earlier or equal deadline covers the child's: no second deadline, and the child's cause is dropped", () => {
  const [parent] = withTimeout(background(), 50, { cause: 'parent' });
  const [child] = withTimeout(parent, 50, { cause: 'child' });
  expect(deadlineStatus().live).toBe(1);
  expect(child.toString()).toMatch(/WithCancel$/);
  clock.advance(50);
  expect([parent.cause(), child.cause()]).toEqual(['parent', 'parent']);
});

test('zero and negative have passed at construction; Infinity is no deadline', () => {
  expect(isDeadlineExceeded(withTimeout(background(), 0)[0].err())).toBe(true);
  expect(isDeadlineExceeded(withTimeout(background(), -5)[0].err())).toBe(true);
  expect(isDeadlineExceeded(withDeadline(background(), 0)[0].err())).toBe(true);
  const [never] = withTimeout(background(), Infinity);
  expect([never.deadline(), never.remaining(), clock.timers.length]).toEqual([undefined, Infinity, 0]);
});

test('a Date is converted once: stepping the wall clock moves no deadline, and the Date is shown as given', () => {
  const at = new Date(clock.wallNow() + 100);
  const [ctx] = withDeadline(background(), at);
  const wallNow = clock.wallNow;
  clock.wallNow = () => wallNow() + 3_600_000;
  expect(ctx.remaining()).toBe(100);
  expect(ctx.deadline()).toEqual(at);
  clock.advance(100);
  expect(isDeadlineExceeded(ctx.err())).toBe(true);
  expect(ctx.deadline()).toEqual(at);
});

test('a cancelled parent beats a past deadline', () => {
  const [parent, cancel] = withCancel(background());
  cancel('first');
  const [child] = withTimeout(parent, -1);
  expect([child.err()?.message, child.cause()]).toEqual(['context canceled', 'first']);
});

test('a deadline that has fired leaves its node out of the tree', () => {
  const [parent] = withCancel(background());
  withTimeout(parent, 10);
  clock.advance(10);
  expect(nodeOf(parent)?.firstChild).toBeUndefined();
  expect(clock.timers).toHaveLength(0);
});

describe('a process', () => {
  const run = (program: string) =>
    spawnSync(process.execPath, ['-e', `const c = require('@curfew/context');${program}`], {
      encoding: 'utf8',
      cwd: __dirname,
    });

  test('is not kept alive by a deadline, unless asked to with ref', () => {
    const still = run(`c.onEnd(c.withTimeout(c.background(), 20)[0], () => console.log('fired'));`);
    expect([still.status, still.stdout]).toEqual([0, '']);
    const kept = run(
      `c.onEnd(c.withTimeout(c.background(), 20, { ref: true })[0], () => console.log('fired'));`,
    );
    expect([kept.status, kept.stdout.trim()]).toEqual([0, 'fired']);
    const released = run(`c.withTimeout(c.background(), 1e9, { ref: true })[1]();`);
    expect(released.status).toBe(0);
  });

  test('is kept alive by a deadline with ref that stands behind an earlier one without', () => {
    const kept = run(`
      c.withTimeout(c.background(), 10);
      c.onEnd(c.withTimeout(c.background(), 40, { ref: true })[0], () => console.log('fired'));
    `);
    expect([kept.status, kept.stdout.trim()]).toEqual([0, 'fired']);
  });

  test('keeps nothing of the deadlines that were released beside one that stays', () => {
    const { stdout } = run(`
      require('node:v8').setFlagsFromString('--expose-gc');
      const collect = require('node:vm').runInNewContext('gc');
      const [, stay] = c.withTimeout(c.background(), 1e9);
      const lives = (count) => {
        while (count-- > 0) c.withTimeout(c.background(), 1e6)[1]();
        collect();
        return process.memoryUsage().heapUsed;
      };
      const before = lives(1000);
      console.log((lives(300_000) - before) / 1e6);
      stay();
    `);
    // Each is some 100 bytes, so all of them would be 30 MB.
    expect(Number(stdout)).toBeLessThan(5);
    expect(stdout).not.toBe('');
  });

  test("does not give one request's AsyncLocalStorage to the listeners of another's deadline", () => {
    const { stdout } = run(`
      const { AsyncLocalStorage } = require('node:async_hooks');
      const storage = new AsyncLocalStorage();
      storage.run('first', () => c.withTimeout(c.background(), 5, { ref: true }));
      c.onEnd(c.withTimeout(c.background(), 10, { ref: true })[0], () => console.log(storage.getStore()));
    `);
    expect(stdout.trim()).toBe('undefined');
  });
});

describe('in observe mode', () => {
  const observed: string[] = [];
  let restore: () => void;
  let stop: () => void;
  beforeEach(() => {
    observed.length = 0;
    restore = setEnforcement(false);
    stop = subscribe({
      cancellationObserved: ({ node, reason, origin }) =>
        void observed.push(`${node.name} ${reason} ${origin}`),
    });
  });
  afterEach(() => {
    stop();
    restore();
  });

  test('a limit that Curfew adds is told once it passes, shown to nobody, and ends nothing', () => {
    const [request] = withLimit(background(), 50, { name: 'request' });
    expect([request.remaining(), request.deadline()]).toEqual([Infinity, undefined]);
    clock.advance(100);
    expect([observed, request.err()]).toEqual([['request deadline_exceeded deadline'], undefined]);
  });

  test('a deadline of the program behind such a limit holds, to the millisecond', () => {
    const [request] = withLimit(background(), 50, { name: 'request' });
    const [price] = withTimeout(request, 300);
    expect(price.remaining()).toBe(300);
    clock.advance(299);
    expect(price.err()).toBeUndefined();
    clock.advance(1);
    expect([price.err()?.name, request.err()]).toEqual(['TimeoutError', undefined]);
  });

  test.each<[string, (ctx: Context, cancel: Cancel) => void]>([
    ['by its client', (ctx) => end(ctx, { origin: 'client_disconnect', automatic: true })],
    ['by its response', retire],
    ['by a release', (_, cancel) => cancel()],
    ['by the program', (_, cancel) => cancel('why')],
  ])('such a limit is told, although its timer is late, where the context ends %s', (_, finish) => {
    const [ctx, cancel] = withLimit(background(), 50, { name: 'request' });
    clock.block(100);
    finish(ctx, cancel);
    clock.advance(100);
    expect(observed).toEqual(['request deadline_exceeded deadline']);
  });

  test('a client that leaves after such a limit has passed is not told too, since it would have met no request', () => {
    const [ctx] = withLimit(background(), 50, { name: 'request' });
    clock.advance(50);
    end(ctx, { origin: 'client_disconnect', automatic: true });
    expect(observed).toEqual(['request deadline_exceeded deadline']);
    expect(nodeOf(ctx)?.ending?.retired).toBe(true);
  });
});
