import {
  background,
  onEnd,
  track,
  withCancel,
  withTimeout,
  type Cancel,
  type CancelContext,
} from '@curfew/context';
import { diag } from '@opentelemetry/api';
import type { ReadableSpan } from '@opentelemetry/sdk-trace-node';
import { useManualClock } from '../../../test/manual-clock';
import { createRandom, seedOfRun } from './forest/random';
import { figure, observe, risingFigures, type Observed } from './observed';

const HOUR = 3_600_000;

let observed: Observed;
beforeEach(() => (observed = observe()));
afterEach(() => observed.stop());

const epochMs = ([seconds, nanos]: readonly [number, number]) => seconds * 1e3 + nanos / 1e6;
const durationOf = (span: ReadableSpan) => epochMs(span.endTime) - epochMs(span.startTime);
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Sets the wall clock by so much, and leaves the monotonic one alone. */
function setWallClock(by: number): void {
  const { clock } = observed;
  const wallNow = clock.wallNow;
  clock.wallNow = () => wallNow() + by;
}

/** Whether no counter and no part of a histogram fell, and none is no number. */
function expectNoneFell(before: Map<string, number>, after: Map<string, number>, when: string): void {
  const wrong = [...after].filter(([series, value]) => !(value >= (before.get(series) ?? 0)));
  expect({ when, wrong: wrong.map(([series, value]) => [series, before.get(series), value]) }).toEqual({
    when,
    wrong: [],
  });
  expect([...before.keys()].filter((series) => !after.has(series))).toEqual([]);
}

test('what has to be noticed in time is noticed by the clock in force, once figures were read, and the former one is left alone', async () => {
  const { clock: former, telemetry, tracer } = observed;
  const warnings: string[] = [];
  const silent = { error() {}, info() {}, debug() {}, verbose() {} };
  diag.setLogger({ ...silent, warn: (line) => void warnings.push(line) });
  const [, keep] = withCancel(background(), { name: 'forgotten' });
  const [ctx, cancel] = withCancel(background(), { name: 'job' });
  const span = tracer.startSpan('work', {}, ctx);
  cancel('why');
  expect(former.timers).toHaveLength(2);
  const { clock, restore } = useManualClock();
  clock.block(former.now() - clock.now());
  telemetry.snapshot();
  expect([former.timers.length, clock.timers.length]).toEqual([0, 2]);
  clock.advance(60_000);
  expect(warnings).toEqual([expect.stringMatching('Orphan'), expect.stringMatching('Lingering')]);
  diag.disable();
  span.end();
  keep();
  restore();
});

test.each([
  ['back', -HOUR],
  ['forward', HOUR],
])(
  'a wall clock set %s by an hour in the middle of it all moves no figure and turns no span around',
  async (_, by) => {
    const { clock, telemetry, tracer } = observed;
    let finish!: () => void;
    const [ctx, cancel] = withCancel(background(), { name: 'job' });
    void track(ctx, new Promise<void>((resolve) => (finish = resolve)));
    const span = tracer.startSpan('open', {}, ctx);
    onEnd(ctx, () => {
      clock.block(5);
      setWallClock(by);
    });
    clock.advance(100);
    cancel('why');
    clock.advance(2000);
    setWallClock(by);
    finish();
    await turn();
    span.end();
    expect(durationOf(observed.only('curfew.cancel'))).toBeCloseTo(5, 3);
    expect(observed.exported('curfew.orphan').map((orphan) => Math.round(durationOf(orphan)))).toEqual([
      2005, 2005,
    ]);
    const sums = (name: string) =>
      (telemetry.snapshot().get(name)?.points ?? []).map((point) =>
        'sum' in point ? point.sum : point.value,
      );
    expect(sums('curfew.context.duration')).toEqual([0.1]);
    expect(sums('curfew.cancel.propagation.duration')[0]).toBeCloseTo(0.005, 9);
    expect(sums('curfew.orphan.time')[0]).toBeCloseTo(4.01, 9);
  },
);

test('a wall clock that is set back between any two readings turns no span around', () => {
  const { clock, tracer } = observed;
  let wall = Date.UTC(2026, 0, 1);
  clock.wallNow = () => (wall -= HOUR);
  const [ctx, cancel] = withCancel(background());
  const span = tracer.startSpan('open', {}, ctx);
  onEnd(ctx, () => clock.block(5));
  cancel('why');
  clock.advance(2000);
  span.end();
  expect(durationOf(observed.only('curfew.cancel'))).toBeCloseTo(5, 3);
  expect(durationOf(observed.only('curfew.orphan'))).toBeCloseTo(2005, 3);
});

test('a laptop that sleeps an hour: deadlines are late, the orphan was one all along, and what lives lingers', () => {
  const { clock, telemetry } = observed;
  const [late] = withTimeout(background(), 50, { name: 'late' });
  const [ctx, cancel] = withCancel(background(), { name: 'job' });
  withCancel(background(), { name: 'idle' });
  void track(ctx, new Promise(() => undefined), { kind: 'db' });
  cancel('why');
  clock.block(HOUR);
  clock.advance(0);
  late.err();
  expect(figure(telemetry, 'curfew.context.ended', { 'curfew.context.outcome': 'deadline_exceeded' })).toBe(
    1,
  );
  expect(figure(telemetry, 'curfew.orphan.active', { 'curfew.operation.kind': 'db' })).toBe(1);
  expect(figure(telemetry, 'curfew.orphan.time')).toBeCloseTo(3600, 6);
  expect(figure(telemetry, 'curfew.context.lingering', { 'curfew.context.name': 'idle' })).toBe(1);
  expect(figure(telemetry, 'curfew.context.oldest.age')).toBe(3600);
  expect(observed.errors()).toBe(0);
});

test('an orphan that runs on while the clock is set back tells no less than it has told', async () => {
  const { clock, telemetry } = observed;
  let finish!: () => void;
  const [ctx, cancel] = withCancel(background());
  void track(ctx, new Promise<void>((resolve) => (finish = resolve)));
  cancel('why');
  clock.advance(5000);
  const told = figure(telemetry, 'curfew.orphan.time');
  clock.block(-3000);
  expect(figure(telemetry, 'curfew.orphan.time')).toBe(told);
  finish();
  await turn();
  expect(figure(telemetry, 'curfew.orphan.time')).toBe(told);
});

test('a clock that is no number for a while leaves no figure that is none, and loses no end', async () => {
  const { clock, telemetry, tracer } = observed;
  const sane = clock.now;
  const finish: (() => void)[] = [];
  const work = () => {
    const [ctx, cancel] = withCancel(background());
    void track(ctx, new Promise<void>((resolve) => finish.push(resolve)));
    const span = tracer.startSpan('work', {}, ctx);
    return { cancel, span };
  };
  const early = work();
  const ended = work();
  ended.cancel('before');
  clock.advance(2000);
  const before = risingFigures(telemetry.snapshot());
  const wallNow = clock.wallNow;
  clock.now = () => NaN;
  clock.wallNow = () => NaN;
  const late = work();
  early.cancel('meanwhile');
  late.cancel('meanwhile');
  ended.span.end();
  const meanwhile = risingFigures(telemetry.snapshot());
  expectNoneFell(before, meanwhile, 'meanwhile');
  clock.now = sane;
  clock.wallNow = wallNow;
  clock.advance(2000);
  for (const { span } of [early, late]) span.end();
  finish.forEach((resolve) => resolve());
  await turn();
  expectNoneFell(meanwhile, risingFigures(telemetry.snapshot()), 'afterwards');
  expect(figure(telemetry, 'curfew.context.cancellations')).toBe(3);
  expect(figure(telemetry, 'curfew.operation.active')).toBe(0);
  expect(figure(telemetry, 'curfew.orphan.active')).toBe(0);
  const times = ['curfew.cancel', 'curfew.orphan', 'work'].flatMap((name) =>
    observed
      .exported(name)
      .flatMap(({ startTime, endTime, events }) => [startTime, endTime, ...events.map(({ time }) => time)]),
  );
  expect(times.flat().every(Number.isFinite)).toBe(true);
});

test('whatever the clock does, no counter falls and no figure is lost', async () => {
  const { below: random } = createRandom(seedOfRun());
  const { clock, telemetry, tracer } = observed;
  const sane = clock.now;
  const live: { ctx: CancelContext; cancel: Cancel; finish: () => void }[] = [];
  let ended = 0;
  let before = risingFigures(telemetry.snapshot());
  const actions: [name: string, act: () => void][] = [
    ['jump ahead', () => clock.block(random(2 * HOUR))],
    ['jump back', () => clock.block(-random(2 * HOUR))],
    ['no number', () => (clock.now = () => NaN)],
    ['a number again', () => (clock.now = sane)],
    ['set the wall clock', () => setWallClock(random(2 * HOUR) - HOUR)],
    ['wait', () => clock.now() > 0 && clock.advance(random(3000))],
    [
      'end',
      () => {
        const one = live.splice(random(live.length), 1)[0];
        if (one === undefined) return;
        one.cancel('why');
        ended++;
        if (random(3) > 0) one.finish();
      },
    ],
  ];
  for (let step = 0; step < 3000; step++) {
    if (random(2) === 0) {
      const [ctx, cancel] = withCancel(background(), { name: `n${random(5)}` });
      const finish: (() => void)[] = [];
      void track(ctx, new Promise<void>((resolve) => finish.push(resolve)));
      const span = tracer.startSpan('work', {}, ctx);
      finish.push(() => span.end());
      live.push({ ctx, cancel, finish: () => finish.forEach((each) => each()) });
    }
    const [name, act] = actions[random(actions.length)] as (typeof actions)[number];
    act();
    if (step % 100 === 0) await turn();
    if (step % 10 !== 0) continue;
    const after = risingFigures(telemetry.snapshot());
    expectNoneFell(before, after, `${name} in step ${step}`);
    before = after;
  }
  expect(figure(telemetry, 'curfew.context.ended')).toBe(ended);
  expect(observed.errors()).toBe(0);
});
