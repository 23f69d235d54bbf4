import { background, onEnd, withTimeout } from '@curfew/context';
import { deadlineStatus } from '@curfew/context/spi';
import { useManualClock, type ManualClock } from '../../../test/manual-clock';

// What stands on the clock for all deadlines: one timer for the first of them, and at times one that looks, once, whether
// that is armed for nothing.

let clock: ManualClock;
let restore: () => void;
let began: number;
beforeEach(() => {
  ({ clock, restore } = useManualClock());
  began = clock.now();
});
afterEach(() => restore());

const timers = () => clock.timers.map(({ at, ref }) => [at - began, ref]);

test('the timer keeps the process alive as long as one of the deadlines is to, and no longer', async () => {
  const [, release] = withTimeout(background(), 100, { ref: true });
  const [armed] = clock.timers;
  const [, releaseToo] = withTimeout(background(), 150, { ref: true });
  expect(clock.timers[0]).toBe(armed);
  const [, releaseLast] = withTimeout(background(), 200);
  expect(timers()).toEqual([[100, true]]);
  release();
  await Promise.resolve();
  expect(timers()).toEqual([[100, true]]);
  releaseToo();
  // Many may be released in one turn: the timer is set anew after it, once.
  expect(timers()).toEqual([[100, true]]);
  await Promise.resolve();
  expect(timers()).toEqual([[200, false]]);
  releaseLast();
});

test('it lets the process go each time that the last of those is released, and stays where another takes its place', async () => {
  const [, releaseLast] = withTimeout(background(), 200);
  for (let round = 0; round < 2; round++) {
    const [, release] = withTimeout(background(), 100, { ref: true });
    const [armed] = clock.timers;
    release();
    const [, releaseOther] = withTimeout(background(), 300, { ref: true });
    await Promise.resolve();
    expect(clock.timers[0]).toBe(armed);
    releaseOther();
    await Promise.resolve();
    expect(timers()).toEqual([[200, false]]);
  }
  releaseLast();
});

test('one that is to keep the process alive does so behind an earlier one that is not', () => {
  const [, release] = withTimeout(background(), 100);
  const [, releaseToo] = withTimeout(background(), 200, { ref: true });
  expect(timers()).toEqual([[100, true]]);
  clock.advance(100);
  expect(timers()).toEqual([[200, true]]);
  release();
  releaseToo();
});

test('a second after the last is released nothing is armed, and a release meanwhile does not ask again', () => {
  withTimeout(background(), 10_000)[1]();
  clock.advance(500);
  withTimeout(background(), 20_000)[1]();
  expect(timers()).toEqual([
    [10_000, false],
    [1000, false],
  ]);
  clock.advance(500);
  expect(timers()).toEqual([]);
  expect(deadlineStatus()).toMatchObject({ live: 0 });
});

test('what was armed for nothing stays where another deadline needs it, and is asked about again after that', () => {
  withTimeout(background(), 10_000)[1]();
  const [, release] = withTimeout(background(), 20_000);
  clock.advance(1000);
  expect(timers()).toEqual([[10_000, false]]);
  // It finds nothing that has passed, and goes on to what stays.
  clock.advance(9000);
  expect(timers()).toEqual([[20_000, false]]);
  release();
  expect(timers()).toEqual([
    [20_000, false],
    [11_000, false],
  ]);
  clock.advance(1000);
  expect(timers()).toEqual([]);
});

test('an equal or later deadline leaves the timer where it is, an earlier one moves it', () => {
  const [, release] = withTimeout(background(), 100);
  const [armed] = clock.timers;
  const [, releaseEqual] = withTimeout(background(), 100);
  const [, releaseLater] = withTimeout(background(), 200);
  expect(clock.timers).toEqual([armed]);
  expect(clock.timers[0]).toBe(armed);
  const [, releaseSooner] = withTimeout(background(), 50);
  expect(timers()).toEqual([[50, false]]);
  for (const each of [release, releaseEqual, releaseLater, releaseSooner]) each();
});

test('another clock takes everything over: nothing stays armed on the one before', () => {
  const [, release] = withTimeout(background(), 10_000);
  withTimeout(background(), 20_000)[1]();
  release();
  expect(timers()).toHaveLength(2);
  const other = useManualClock();
  expect(timers()).toEqual([]);
  const [, releaseOther] = withTimeout(background(), 50);
  expect(other.clock.timers).toHaveLength(1);
  other.restore();
  expect(other.clock.timers).toEqual([]);
  releaseOther();
});

test('what is armed is told: the timer, or the one that looks whether that is needed', () => {
  const armed = () => deadlineStatus().armed;
  expect(armed()).toBe(false);
  const [, release] = withTimeout(background(), 100);
  expect(armed()).toBe(true);
  release();
  clock.advance(100);
  expect([armed(), timers()]).toEqual([true, [[1000, false]]]);
  clock.advance(900);
  expect(armed()).toBe(false);
});

test('what stays when the released ones are swept out is in order again, from the first on', () => {
  const [, releaseFirst] = withTimeout(background(), 1);
  const told = [500, 300].map((ms) => {
    const [ctx] = withTimeout(background(), ms);
    const at: number[] = [];
    onEnd(ctx, () => void at.push(clock.now() - began));
    return at;
  });
  const others = Array.from({ length: 100 }, () => withTimeout(background(), 1000)[1]);
  releaseFirst();
  for (const release of others) release();
  clock.advance(1000);
  expect(told).toEqual([[500], [300]]);
});
