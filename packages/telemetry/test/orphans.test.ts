import { background, withCancel, withTimeout, type CancelContext } from '@curfew/context';
import type { HistogramPoint, NumberPoint } from '@curfew/telemetry';
import { diag, DiagLogLevel, SpanKind, type Span } from '@opentelemetry/api';
import type { ReadableSpan } from '@opentelemetry/sdk-trace-node';
import type { ManualClock } from '../../../test/manual-clock';
import { scrape, total } from './exposition';
import { observe, type Observed } from './observed';

// Orphans stand in a list by the instant at which their contexts ended, and a deadline that a blocked loop noticed late
// comes in before others. Grace and report limit are round, so that every instant below can be worked out by hand.
const GRACE = 1000;
const REPORT = 5000;

let observed: Observed;
let clock: ManualClock;
let spans: Span[];
beforeEach(() => {
  spans = [];
  observed = observe({
    telemetry: { orphanGrace: GRACE, orphanReportAfter: REPORT, lingerAfter: 1e9 },
  });
  clock = observed.clock;
});
afterEach(() => observed.stop());

/** Work that runs until its span ends. */
function work(ctx: CancelContext, name: string, kind = SpanKind.CLIENT): Span {
  const span = observed.tracer.startSpan(name, { kind }, ctx);
  spans.push(span);
  return span;
}

/** Work whose context is canceled at once. */
function leftBehind(name: string, kind?: SpanKind): Span {
  const [ctx, cancel] = withCancel(background(), { name: 'job' });
  const span = work(ctx, name, kind);
  cancel('why');
  return span;
}

/** Work under a deadline `ms` from now, which passes without anybody's notice; `notice` makes it known. */
function overlooked(name: string, ms: number): { span: Span; notice: () => void } {
  const [ctx] = withTimeout(background(), ms, { name: 'late' });
  return { span: work(ctx, name), notice: () => void ctx.err() };
}

/** The names of what was reported, as often as it was. */
function reported(): string[] {
  return (spans as unknown as ReadableSpan[]).flatMap(({ name, events }) =>
    events.filter((event) => event.name === 'curfew.orphan.running').map(() => name),
  );
}

const orphans = async () => total(await scrape(observed.telemetry), 'curfew_orphan_operations_total');

test('an orphan is counted by its kind and the reason of the end', async () => {
  overlooked('a', 50);
  clock.advance(50);
  leftBehind('b', SpanKind.PRODUCER);
  clock.block(GRACE);
  const samples = await scrape(observed.telemetry);
  expect(total(samples, 'curfew_orphan_active', 'kind="client"', 'reason="deadline_exceeded"')).toBe(1);
  expect(total(samples, 'curfew_orphan_active', 'kind="producer"', 'reason="canceled"')).toBe(1);
  expect(total(samples, 'curfew_orphan_active')).toBe(2);
});

test('each is an orphan a grace after its own end, in whatever order the ends were noticed', async () => {
  const a = overlooked('a', 500);
  clock.block(800);
  leftBehind('b');
  a.notice();
  clock.block(100);
  leftBehind('c');
  // They ended at 500, 800 and 900.
  const seen: number[] = [];
  for (const ms of [599, 1, 299, 1, 99, 1]) {
    clock.block(ms);
    seen.push(await orphans());
  }
  expect(seen).toEqual([0, 1, 1, 2, 2, 3]);
});

test('one that comes in before orphans makes none of them an orphan, or a report, again', async () => {
  const a = overlooked('a', 500);
  clock.block(800);
  leftBehind('b');
  clock.block(REPORT);
  expect(await orphans()).toBe(1);
  expect(reported()).toEqual(['b']);
  a.notice();
  expect(await orphans()).toBe(2);
  expect(reported()).toEqual(['a', 'b']);
});

test('each is reported at its own time by a timer, in whatever order the ends were noticed', () => {
  const a = overlooked('a', 500);
  clock.block(800);
  leftBehind('b');
  a.notice();
  clock.advance(500 + REPORT - 800 - 1);
  expect(reported()).toEqual([]);
  clock.advance(1);
  expect(reported()).toEqual(['a']);
  clock.advance(299);
  expect(reported()).toEqual(['a']);
  clock.advance(1);
  expect(reported()).toEqual(['a', 'b']);
});

test.each([
  ['first', 0, ['b', 'c', 'd']],
  ['middle one', 1, ['a', 'c', 'd']],
  ['last', 2, ['a', 'b', 'd']],
])(
  'where the %s of them settles, the others are orphans and reported, and it is not',
  async (_, settles, others) => {
    const a = overlooked('a', 500);
    clock.block(800);
    const b = leftBehind('b');
    a.notice();
    clock.block(100);
    const c = leftBehind('c');
    [a.span, b, c][settles]?.end();
    leftBehind('d');
    clock.block(GRACE);
    expect(await orphans()).toBe(3);
    clock.advance(REPORT - GRACE);
    expect(reported()).toEqual(others);
  },
);

test('work that settles within the grace is no orphan, and has no span of one', () => {
  leftBehind('a').end();
  const b = leftBehind('b');
  clock.advance(GRACE);
  b.end();
  expect(Object.keys(observed.only('curfew.orphan').attributes)).not.toContain('curfew.operation.collected');
});

test('a timer is armed for the next instant at which something has to be noticed, and for no other', () => {
  const before = [...clock.timers];
  const ours = () => clock.timers.filter((timer) => !before.includes(timer));
  const due = () => ours().map(({ at }) => at - began);
  const began = clock.now();
  const a = leftBehind('a');
  expect(due()).toEqual([GRACE]);
  const [armed] = ours();
  clock.advance(100);
  const b = leftBehind('b');
  // What is armed for already stays armed.
  expect(ours()).toEqual([armed]);
  expect(ours()[0]).toBe(armed);
  clock.advance(GRACE);
  expect(due()).toEqual([REPORT]);
  clock.advance(REPORT);
  expect(due()).toEqual([]);
  leftBehind('c');
  expect(ours().map(({ ref }) => ref)).toEqual([false]);
  a.end();
  b.end();
  expect(due()).toEqual([100 + GRACE + REPORT + GRACE]);
});

test('a logger that uninstalls telemetry as it hears of an orphan leaves no timer behind', () => {
  const quiet = () => undefined;
  const warn = () => observed.telemetry.uninstall();
  diag.setLogger({ error: quiet, warn, info: quiet, debug: quiet, verbose: quiet }, DiagLogLevel.WARN);
  leftBehind('a');
  clock.advance(100);
  leftBehind('b');
  // The first is reported, the second waits.
  clock.advance(REPORT - 100);
  diag.disable();
  expect(clock.timers).toEqual([]);
});

test('work that a blocked loop let settle no sooner than a grace after the end was an orphan', async () => {
  const [atGrace, before] = [leftBehind('a'), leftBehind('b')];
  clock.block(GRACE - 1);
  before.end();
  clock.block(1);
  atGrace.end();
  expect(await orphans()).toBe(1);
});

test('the time of orphans that still run is their own, whatever others have wasted before', async () => {
  const a = leftBehind('a');
  clock.advance(2000);
  const b = leftBehind('b');
  clock.advance(2000);
  a.end();
  clock.advance(3000);
  const wasted = async () => total(await scrape(observed.telemetry), 'curfew_orphan_time_seconds_total');
  expect(await wasted()).toBeCloseTo(4 + 5, 9);
  b.end();
  clock.advance(10_000);
  expect(await wasted()).toBeCloseTo(4 + 5, 9);
});

test('orphans that came and went between two looks are told as none, not left out', async () => {
  const span = leftBehind('a');
  clock.advance(2000);
  span.end();
  const samples = await scrape(observed.telemetry);
  const series = [...samples].filter(([name]) => name.startsWith('curfew_orphan_active{'));
  expect(series.map(([, value]) => value)).toEqual([0]);
});

test('the timer is moved for one that ended earlier and was noticed later', () => {
  const began = clock.now();
  const a = overlooked('a', 500);
  clock.block(700);
  leftBehind('b');
  clock.block(100);
  a.notice();
  const due = clock.timers.map(({ at }) => at - began);
  expect(due).toContain(500 + GRACE);
  expect(due).not.toContain(700 + GRACE);
});

test('an uninstall takes the timer away', () => {
  leftBehind('a');
  observed.telemetry.uninstall();
  expect(clock.timers).toEqual([]);
});

test('a timer that fires early, or was for work that has settled, is armed again', () => {
  const before = [...clock.timers];
  const ours = () => clock.timers.filter((timer) => !before.includes(timer));
  leftBehind('a').end();
  expect(ours()).toEqual([]);
  // At the same instant as the one before.
  leftBehind('b');
  const [armed] = ours();
  expect(armed?.at).toBe(clock.now() + GRACE);
  clock.block(GRACE - 1);
  clock.clearTimer(armed);
  armed?.fn();
  expect(ours().map(({ at }) => at)).toEqual([armed?.at]);
});

describe('where exemplars are kept, that of a second is the first', () => {
  const exemplarOf = (points: readonly (NumberPoint | HistogramPoint)[] = []) =>
    points
      .flatMap((point) => ('value' in point ? [point.exemplar] : (point.exemplars ?? [])))
      .find((exemplar) => exemplar !== undefined)?.spanId;
  const figure = (name: string) => exemplarOf(observed.telemetry.snapshot().get(name)?.points);
  const idOf = (span: Span) => span.spanContext().spanId;

  test('of orphans', () => {
    leftBehind('before any are kept');
    clock.advance(GRACE);
    observed.telemetry.keepExemplars();
    expect(figure('curfew.orphan.operations')).toBeUndefined();
    const first = leftBehind('first');
    clock.advance(10);
    leftBehind('within the second');
    clock.advance(GRACE);
    expect(figure('curfew.orphan.operations')).toBe(idOf(first));
    const next = leftBehind('next');
    clock.advance(GRACE);
    expect(figure('curfew.orphan.operations')).toBe(idOf(next));
  });

  test('of work that settles', () => {
    const settled = (name: string) => {
      const span = leftBehind(name);
      span.end();
      return span;
    };
    settled('before any are kept');
    observed.telemetry.keepExemplars();
    expect(figure('curfew.cancel.settle.duration')).toBeUndefined();
    const first = settled('first');
    clock.advance(999);
    settled('within the second');
    expect(figure('curfew.cancel.settle.duration')).toBe(idOf(first));
    clock.advance(1);
    const next = settled('next');
    expect(figure('curfew.cancel.settle.duration')).toBe(idOf(next));
  });
});
