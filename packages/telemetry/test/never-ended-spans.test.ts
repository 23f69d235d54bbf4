import { background, withCancel } from '@curfew/context';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { figure, observe } from './observed';

// Counted exactly, by the engine itself, in a process of their own.

interface Left {
  /** Spans that are reachable. */
  readonly spans: number;
  readonly active: number;
  readonly orphans: number;
  readonly errors: number;
}

function left(way: string, spans: number): Left {
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ['--no-warnings', join(__dirname, 'fixtures', 'never-ended-spans.cjs'), way, String(spans)],
    { encoding: 'utf8', timeout: 100_000 },
  );
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout) as Left;
}

test.each([
  ['under a context that lives on', 1000, 0],
  ['under contexts that are canceled', 0, 20_000],
  ['under contexts that complete', 1000, 0],
  ['under a context that had been canceled', 0, 20_000],
])(
  'of 20,000 spans that are dropped without an end, %s, the last %d are kept, no orphan, and the others count as active no more',
  (way, kept, orphans) => {
    expect(left(way, 20_000)).toEqual({ spans: kept, active: kept, orphans, errors: 0 });
  },
  100_000,
);

test('up to a thousand are kept whatever else started and ended under their context; one that ended counts once', () => {
  expect(left('of two, one', 900)).toEqual({ spans: 900, active: 900, orphans: 0, errors: 0 });
  expect(left('ended after all', 3000)).toEqual({ spans: 0, active: 0, orphans: 0, errors: 0 });
  expect(left('older than the last thousand', 3000)).toEqual({
    spans: 0,
    active: 0,
    orphans: 2100,
    errors: 0,
  });
});

test('a thousand spans are kept beside a thousand operations: neither counts against the other', () => {
  expect(left('beside as many operations', 900)).toEqual({ spans: 900, active: 1800, orphans: 0, errors: 0 });
  expect(left('beside as many operations', 3000)).toEqual({
    spans: 1000,
    active: 2000,
    orphans: 0,
    errors: 0,
  });
});

test('spans that somebody else holds are followed to their end, however many are open under one context', async () => {
  const observed = observe();
  const { telemetry, clock, tracer } = observed;
  const [ctx, cancel] = withCancel(background());
  const spans = Array.from({ length: 3000 }, () => tracer.startSpan('held', {}, ctx));
  // The oldest, the newest, those at the limit between what we hold and what we do not, and some between.
  const early = [0, 1, 1500, 1999, 2000, 2001, 2500, 2999];
  for (const index of early) spans[index]?.end();
  expect(figure(telemetry, 'curfew.operation.active')).toBe(3000 - early.length);
  while (spans.length < 5000 + early.length) spans.push(tracer.startSpan('held', {}, ctx));
  cancel('why');
  clock.advance(1000);
  expect(figure(telemetry, 'curfew.orphan.active')).toBe(5000);
  for (const span of spans) span.end();
  expect(figure(telemetry, 'curfew.operation.active')).toBe(0);
  expect(figure(telemetry, 'curfew.orphan.active')).toBe(0);
  expect(figure(telemetry, 'curfew.cancel.settle.duration')).toBe(5000);
  const marked = observed.exported('held').filter(({ events }) => events.length > 0);
  expect(marked).toHaveLength(1000);
  expect(observed.exported('curfew.orphan')).toHaveLength(5000);
  expect(observed.errors()).toBe(0);
  await observed.stop();
});
