import { background, race, run, withCancel, type CancelContext } from '@curfew/context';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { figure, observe } from './observed';

// Counted exactly, by the engine itself, in a process of their own.

interface Left {
  /** Operations that are reachable, and the bytes of heap that all of the run has left. */
  readonly operations: number;
  readonly bytes: number;
  readonly active: number;
  readonly orphansActive: number;
  readonly orphans: number;
  readonly settled: number;
  readonly errors: number;
  /** Those of orphans, by whether they say that their work was collected unsettled. */
  readonly spans: { readonly collected: number; readonly settled: number };
  /** Whether wasted time still grows. */
  readonly accrues: boolean;
  /** Running orphans once nothing can settle any of them. */
  readonly atLast: number;
}

function left(way: string, operations: number): Left {
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ['--no-warnings', join(__dirname, 'fixtures', 'never-settling.cjs'), way, String(operations)],
    { encoding: 'utf8', timeout: 100_000 },
  );
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout) as Left;
}

const NOTHING = { operations: 0, settled: 0, errors: 0, accrues: false, atLast: 0 };

test.each([
  ['run, under contexts that are canceled', 0, 100_000],
  ['track, under contexts that are canceled', 0, 100_000],
  ['scope, in contexts that are canceled', 0, 100_000],
  ['run, under a context that had been canceled', 0, 100_000],
  ['run, under a context that lives on', 1000, 0],
  ['run, under contexts that complete', 1000, 0],
])(
  'of 100,000 operations that never settle and that nobody holds, by %s, %d are kept, and no orphan runs on',
  (way, active, orphans) => {
    const { bytes, ...rest } = left(way, 100_000);
    const spans = { collected: orphans, settled: 0 };
    expect(rest).toEqual({ ...NOTHING, active, orphansActive: 0, orphans, spans });
    expect(bytes).toBeLessThan(1_000_000);
  },
  100_000,
);

test('those that somebody could still settle are running orphans, exactly, until nobody can', () => {
  const { bytes, ...rest } = left('race, with a promise that lives on', 20_000);
  const running = { operations: 20_000, active: 20_000, orphansActive: 20_000, orphans: 20_000 };
  const spans = { collected: 0, settled: 0 };
  expect(rest).toEqual({ ...NOTHING, ...running, accrues: true, spans });
  expect(bytes / 17_000).toBeLessThan(1000);
}, 100_000);

test('the loser of a race that settles at last is told with its kind, its reason and its time, however many there are', async () => {
  const observed = observe();
  const { clock, telemetry } = observed;
  let settle!: () => void;
  const longLived = new Promise<void>((resolve) => (settle = resolve));
  const [server, shutdown] = withCancel(background(), { name: 'server' });
  const lose = (ctx: CancelContext) => race(ctx, longLived).catch(() => undefined);
  const lost = Array.from({ length: 3000 }, () => {
    const [ctx, cancel] = withCancel(background());
    const result = lose(ctx);
    cancel('why');
    return result;
  });
  lost.push(...Array.from({ length: 2000 }, () => lose(server)));
  clock.advance(400);
  shutdown('why');
  clock.advance(4600);
  await Promise.all(lost);
  expect(figure(telemetry, 'curfew.orphan.active', { 'curfew.cancel.reason': 'canceled' })).toBe(5000);
  expect(figure(telemetry, 'curfew.orphan.time')).toBeCloseTo(3000 * 5 + 2000 * 4.6, 6);
  settle();
  await new Promise((resolve) => setImmediate(resolve));
  expect(figure(telemetry, 'curfew.orphan.active')).toBe(0);
  expect(figure(telemetry, 'curfew.operation.active')).toBe(0);
  expect(figure(telemetry, 'curfew.orphan.time')).toBeCloseTo(3000 * 5 + 2000 * 4.6, 6);
  const attributes = { 'curfew.operation.kind': 'internal', 'curfew.cancel.reason': 'canceled' };
  expect(figure(telemetry, 'curfew.cancel.settle.duration', attributes)).toBe(5000);
  expect(observed.exported('curfew.orphan')).toHaveLength(5000);
  expect(observed.errors()).toBe(0);
  await observed.stop();
});

test('operations of a context that was derived before telemetry was installed are found at its end', async () => {
  const [early, cancel] = withCancel(background());
  const observed = observe();
  const settled: (() => void)[] = [];
  const work = () => run(early, { kind: 'job' }, () => new Promise<void>((resolve) => settled.push(resolve)));
  const runs = [work(), work()];
  settled[0]?.();
  await runs[0];
  observed.clock.advance(10);
  cancel('why');
  observed.clock.advance(1500);
  expect(figure(observed.telemetry, 'curfew.orphan.active', { 'curfew.operation.kind': 'job' })).toBe(1);
  settled[1]?.();
  await runs[1];
  expect(figure(observed.telemetry, 'curfew.orphan.time')).toBe(1.5);
  expect(figure(observed.telemetry, 'curfew.operation.active')).toBe(0);
  await observed.stop();
});
