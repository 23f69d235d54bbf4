import {
  background,
  run,
  scope,
  track,
  withCancel,
  withoutCancel,
  withTimeout,
  type Cancel,
  type CancelContext,
} from '@curfew/context';
import { end, retire } from '@curfew/context/spi';
import { scrape, total } from './exposition';
import { createRandom, seedOfRun } from './forest/random';
import { observe, type Observed } from './observed';

const OPERATIONS = 10_000;
const GRACE = 1000;

let observed: Observed;
beforeEach(() => (observed = observe({ telemetry: { orphanGrace: GRACE } })));
afterEach(() => observed.stop());

const DEADLINE = 3_600_000;

/** How a context ends, and whether work that outlives that is an orphan. */
interface End {
  readonly orphans: boolean;
  /** Milliseconds after the deadline at which a blocked loop notices it; undefined where it is another end. */
  readonly noticed?: number;
  act(ctx: CancelContext, cancel: Cancel): void;
}

const ENDS: readonly End[] = [
  { orphans: true, act: (_, cancel) => cancel('why') },
  { orphans: true, act: (ctx) => end(ctx, { origin: 'client_disconnect' }) },
  { orphans: true, act: (ctx) => end(ctx, { origin: 'remote_deadline', reason: 'deadline_exceeded' }) },
  ...[0, GRACE - 1, GRACE + 500].map((noticed) => ({
    orphans: true,
    noticed,
    act(ctx: CancelContext) {
      observed.clock.block(DEADLINE + noticed);
      ctx.err();
    },
  })),
  { orphans: false, act: (ctx) => retire(ctx) },
];

interface Fate {
  readonly name: string;
  /** Milliseconds from the end of the context until the work settles; negative where it is done before. */
  readonly settles: number;
  /** Started with the context, and not detached from it. */
  readonly attached: boolean;
  settle(): void;
}

test('of ten thousand operations of known fate each orphan is found, by name, and nothing else', async () => {
  const { clock, telemetry, tracer } = observed;
  const { below: random } = createRandom(seedOfRun());
  const settled = () => new Promise((resolve) => setImmediate(resolve));
  const expected = new Set<string>();
  const running: Fate[] = [];

  function begin(ctx: CancelContext, name: string): Pick<Fate, 'settle' | 'attached'> {
    let settle!: () => void;
    const promise = new Promise<void>((resolve) => (settle = resolve));
    const sort = random(5);
    if (sort === 0) void track(ctx, promise, { name });
    else if (sort === 1) void run(ctx, { name, kind: 'job' }, () => promise);
    else if (sort === 2) scope(ctx, { name }, () => promise).catch(() => undefined);
    else if (sort === 3) {
      const span = tracer.startSpan(name, {}, ctx);
      settle = () => span.end();
    } else {
      void run(withoutCancel(ctx), { name }, () => promise);
      return { settle, attached: false };
    }
    return { settle, attached: true };
  }

  for (let made = 0; made < OPERATIONS;) {
    const [ctx, cancel] = withTimeout(background(), DEADLINE);
    const how = ENDS[random(ENDS.length)] as End;
    const fates = Array.from({ length: 1 + random(10) }, (): Fate => {
      const name = `operation ${made++}`;
      const settles = [-1, 0, random(GRACE), GRACE, GRACE + random(5000), Infinity][random(6)] as number;
      return { name, settles, ...begin(ctx, name) };
    });
    for (const { settle } of fates.filter(({ settles }) => settles < 0)) settle();
    await settled();
    const endedAt = clock.now() + (how.noticed === undefined ? 0 : DEADLINE);
    how.act(ctx, cancel);
    const rest = fates.filter(({ settles }) => settles >= 0).sort((a, b) => a.settles - b.settles);
    for (const fate of rest) {
      if (fate.settles === Infinity) {
        running.push(fate);
        if (how.orphans && fate.attached) expected.add(fate.name);
        continue;
      }
      clock.advance(Math.max(0, endedAt + fate.settles - clock.now()));
      if (how.orphans && fate.attached && clock.now() - endedAt >= GRACE) expected.add(fate.name);
      fate.settle();
      await settled();
    }
  }
  clock.advance(GRACE);
  const samples = await scrape(telemetry);
  const still = running.filter(({ name }) => expected.has(name)).length;
  expect(total(samples, 'curfew_orphan_active')).toBe(still);
  expect(total(samples, 'curfew_orphan_operations_total')).toBe(expected.size);
  for (const { settle } of running) settle();
  await settled();
  expect(total(await scrape(telemetry), 'curfew_orphan_active')).toBe(0);
  expect(expected.size).toBeGreaterThan(OPERATIONS / 10);
  expect(namesOfOrphans().sort()).toEqual([...expected].sort());
});

// A process that is not let run for a while (a blocked loop, no processor to be had, SIGSTOP) learns late what has
// stopped. What it was meant to take is then no tally: what is an orphan goes by when it was seen to settle.
test('an orphan goes by when the process saw the work settle, so that a stall makes as many more as settle times tell', async () => {
  const { clock, telemetry } = observed;
  const [ctx, cancel] = withCancel(background());
  const meant = { stops: 400, runsOn: GRACE + 500 };
  const settles: { at: number; settle: () => void }[] = [];
  const work = Array.from({ length: 30 }, (_, index) => {
    const at = index % 3 === 0 ? meant.runsOn : meant.stops;
    return track(ctx, new Promise<void>((settle) => settles.push({ at, settle })));
  });
  const from = clock.now();
  cancel('why');
  clock.advance(meant.stops - 100);
  clock.block(GRACE);
  // The timers come first once it runs again, and then the news that waited behind them.
  clock.advance(0);
  let seen = 0;
  for (const { at, settle } of settles.sort((a, b) => a.at - b.at)) {
    clock.advance(Math.max(0, from + at - clock.now()));
    settle();
    await new Promise((resolve) => setImmediate(resolve));
    if (clock.now() - from >= GRACE) seen++;
  }
  await Promise.all(work);
  const samples = await scrape(telemetry);
  expect([settles.filter(({ at }) => at >= GRACE).length, seen]).toEqual([10, 30]);
  expect(total(samples, 'curfew_orphan_operations_total')).toBe(seen);
  const settled = total(samples, 'curfew_cancel_settle_duration_seconds_count');
  const inTime = total(samples, 'curfew_cancel_settle_duration_seconds_bucket', 'le="1"');
  expect(settled - inTime).toBe(seen);
  expect(total(samples, 'curfew_orphan_time_seconds_total')).toBeCloseTo(20 * 1.3 + 10 * 1.5, 6);
});

/** By the spans that were exported for them: each is named, or is the child of the work's own span. */
function namesOfOrphans(): string[] {
  const spans = observed.finished();
  const nameOf = new Map(spans.map((span) => [span.spanContext().spanId, span.name]));
  return spans
    .filter(({ name }) => name === 'curfew.orphan')
    .map(({ attributes, parentSpanContext }) =>
      String(attributes['curfew.operation.name'] ?? nameOf.get(parentSpanContext?.spanId ?? '')),
    );
}
