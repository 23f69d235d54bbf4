import { background, onEnd, run, track, withCancel, withoutCancel, withTimeout } from '@curfew/context';
import { end, hooks, nodeOf, retire, subscribe } from '@curfew/context/spi';
import { install, type Telemetry } from '@curfew/telemetry';
import { useManualClock, type ManualClock } from '../../../test/manual-clock';
import { scrape, total } from './exposition';
import { backendCancel, deadlineReceived } from './adapters';

let clock: ManualClock;
let restore: () => void;
let telemetry: Telemetry;
beforeEach(() => {
  ({ clock, restore } = useManualClock());
  telemetry = install({ orphanGrace: 1000, lingerAfter: 60_000, orphanReportAfter: 30_000 });
});
afterEach(() => {
  telemetry.uninstall();
  restore();
});

const pending = () => new Promise<void>(() => undefined);

test('propagation counts from the cancel or the deadline itself until the last listener returned; lateness is apart', async () => {
  const [slow, cancel] = withCancel(background(), { name: 'slow' });
  onEnd(slow, () => clock.block(30));
  cancel('why');
  const [late] = withTimeout(background(), 50, { name: 'late' });
  onEnd(late, () => clock.block(5));
  clock.block(130);
  late.err();
  const samples = await scrape(telemetry);
  const sum = 'curfew_cancel_propagation_duration_seconds_sum';
  expect(total(samples, sum, 'reason="canceled"')).toBeCloseTo(0.03, 9);
  expect(total(samples, sum, 'reason="deadline_exceeded"')).toBeCloseTo(0.085, 9);
  expect(total(samples, 'curfew_deadline_lateness_seconds_sum', 'detected_by="check"')).toBeCloseTo(0.08, 9);
});

test('work in flight settles; what outlives the grace is an orphan whose time accrues while it runs', async () => {
  const armedBefore = clock.timers.length;
  const [ctx, cancel] = withCancel(background(), { name: 'job' });
  let finish!: () => void;
  const quick = track(ctx, new Promise<void>((resolve) => (finish = resolve)), { kind: 'client' });
  let finishOrphan!: () => void;
  const orphan = track(ctx, new Promise<void>((resolve) => (finishOrphan = resolve)), { kind: 'db' });
  cancel('why');
  clock.advance(400);
  finish();
  await quick;
  clock.advance(599);
  expect(total(await scrape(telemetry), 'curfew_orphan_operations_total')).toBe(0);
  clock.advance(1);
  clock.advance(2000);
  const during = await scrape(telemetry);
  expect(total(during, 'curfew_orphan_active', 'kind="db"', 'reason="canceled"')).toBe(1);
  expect(total(during, 'curfew_orphan_time_seconds_total', 'kind="db"')).toBeCloseTo(3, 9);
  clock.advance(500);
  finishOrphan();
  await orphan;
  clock.advance(10_000);
  const after = await scrape(telemetry);
  expect(total(after, 'curfew_orphan_active')).toBe(0);
  expect(total(after, 'curfew_orphan_operations_total')).toBe(1);
  expect(total(after, 'curfew_orphan_time_seconds_total')).toBeCloseTo(3.5, 9);
  expect(total(after, 'curfew_cancel_settle_duration_seconds_sum', 'kind="client"')).toBeCloseTo(0.4, 9);
  expect(total(after, 'curfew_cancel_settle_duration_seconds_sum', 'kind="db"')).toBeCloseTo(3.5, 9);
  expect(total(after, 'curfew_operation_active')).toBe(0);
  expect(clock.timers).toHaveLength(armedBefore);
});

test('work that began after a deadline nobody had noticed is charged from its own beginning', async () => {
  const [ctx] = withTimeout(background(), 50);
  clock.block(10_000);
  let finish!: () => void;
  const work = track(ctx, new Promise<void>((resolve) => (finish = resolve)), { kind: 'db' });
  ctx.err();
  clock.block(5);
  finish();
  await work;
  const samples = await scrape(telemetry);
  expect(total(samples, 'curfew_cancel_settle_duration_seconds_sum', 'kind="db"')).toBeCloseTo(0.005, 9);
  expect(total(samples, 'curfew_orphan_operations_total')).toBe(0);
});

test('an orphan that a blocked loop kept from being noticed is counted when it settles', async () => {
  const [ctx, cancel] = withCancel(background());
  const work = run(ctx, async () => {
    cancel('why');
    clock.block(5000);
    return Promise.resolve();
  });
  await work;
  const samples = await scrape(telemetry);
  expect(total(samples, 'curfew_orphan_operations_total')).toBe(1);
  expect(total(samples, 'curfew_orphan_time_seconds_total')).toBeCloseTo(5, 9);
});

test('work under withoutCancel, after a retired request or in a completed one is never an orphan', async () => {
  const [request] = withTimeout(background(), 50, { name: 'request' });
  void run(withoutCancel(request), pending);
  void track(request, pending());
  retire(request);
  void track(request, pending());
  clock.advance(100_000);
  const samples = await scrape(telemetry);
  expect(total(samples, 'curfew_orphan_operations_total')).toBe(0);
  expect(total(samples, 'curfew_orphan_time_seconds_total')).toBe(0);
});

test('a context is lingering once it is older than the limit, unless it is meant to live long', async () => {
  withCancel(background(), { name: 'worker', longLived: true });
  const [, cancel] = withCancel(background(), { name: 'forgotten' });
  clock.advance(59_999);
  expect(total(await scrape(telemetry), 'curfew_context_lingering')).toBe(0);
  clock.advance(1);
  const samples = await scrape(telemetry);
  expect(total(samples, 'curfew_context_lingering', 'name="forgotten"')).toBe(1);
  expect(total(samples, 'curfew_context_lingering', 'name="worker"')).toBe(0);
  expect(total(samples, 'curfew_context_oldest_age_seconds')).toBe(60);
  cancel();
  expect(total(await scrape(telemetry), 'curfew_context_lingering')).toBe(0);
});

test('what adapters tell is recorded', async () => {
  expect(total(await scrape(telemetry), 'curfew_sdk_guarded_total')).toBe(0);
  for (let errors = 0; errors < 2; errors++) hooks.errorGuarded?.({ error: new Error('aborted') });
  deadlineReceived.tell?.({ source: 'x-request-timeout-ms', outcome: 'ok', remaining: 250 });
  deadlineReceived.tell?.({ source: 'grpc-timeout', outcome: 'malformed', remaining: undefined });
  hooks.callRefused?.({ source: 'http.client' });
  backendCancel.tell?.({ system: 'postgresql', outcome: 'canceled', duration: 2 });
  backendCancel.tell?.({ system: 'nobody-knows', outcome: 'failed', duration: NaN });
  const samples = await scrape(telemetry);
  expect(
    total(samples, 'curfew_propagation_inbound_total', 'source="grpc-timeout"', 'outcome="malformed"'),
  ).toBe(1);
  expect(total(samples, 'curfew_sdk_guarded_total')).toBe(2);
  expect(total(samples, 'curfew_deadline_remaining_seconds_sum')).toBe(0.25);
  expect(total(samples, 'curfew_deadline_rejections_total', 'source="http.client"')).toBe(1);
  expect(total(samples, 'curfew_backend_cancel_duration_seconds_sum', 'postgresql', 'canceled')).toBe(0.002);
  expect(total(samples, 'curfew_backend_cancel_duration_seconds_count', 'nobody-knows', 'failed')).toBe(1);
});

test('names beyond the cap are _OTHER, counted, and no count is lost; names never break the exposition', async () => {
  const nasty = [
    'new\nline',
    'quo"te',
    'back\\slash',
    '🦉',
    '__proto__',
    'x'.repeat(1e6),
    '',
    '\u0000',
    '\ud800',
  ];
  for (const name of nasty) withCancel(background(), { name })[1]();
  for (let index = 0; index < 5000; index++) withCancel(background(), { name: `n${index}` })[1]();
  const samples = await scrape(telemetry);
  expect(total(samples, 'curfew_context_ended_total')).toBe(5000 + nasty.length);
  expect([...samples.keys()].filter((key) => key.startsWith('curfew_context_ended_total{'))).toHaveLength(51);
  expect(total(samples, 'curfew_sdk_overflows_total', 'limit="name"')).toBe(
    total(samples, 'curfew_context_ended_total', '_OTHER'),
  );
});

test('a hook that throws is counted and reaches nobody', async () => {
  const stop = subscribe({
    contextEnded() {
      throw new Error('mine');
    },
  });
  const [ctx, cancel] = withCancel(background(), { name: 'safe' });
  cancel('why');
  stop();
  const samples = await scrape(telemetry);
  expect(ctx.cause()).toBe('why');
  expect(total(samples, 'curfew_sdk_hook_errors_total')).toBe(1);
  expect(total(samples, 'curfew_context_ended_total', 'name="safe"')).toBe(1);
});

test('a context derived before telemetry was installed is counted when it ends, and the sums agree', async () => {
  telemetry.uninstall();
  const [ctx, cancel] = withCancel(background(), { name: 'old' });
  telemetry = install();
  withCancel(ctx, { name: 'new' });
  cancel('why');
  const samples = await scrape(telemetry);
  expect(total(samples, 'curfew_context_ended_total')).toBe(2);
  expect(total(samples, 'curfew_context_cancellations_total', 'name="old"')).toBe(1);
  expect(total(samples, 'curfew_cancel_fanout_sum')).toBe(1);
  expect(total(samples, 'curfew_context_active')).toBe(0);
});

test('a producer of deltas tells what came since the last collection', async () => {
  const producer = telemetry.producer({ temporality: 'delta' });
  const ended = async () => {
    const { resourceMetrics } = (await producer.collect()) as {
      resourceMetrics: {
        scopeMetrics: { metrics: { descriptor: { name: string }; dataPoints: { value: unknown }[] }[] }[];
      };
    };
    const metrics = resourceMetrics.scopeMetrics[0]?.metrics ?? [];
    return metrics
      .find(({ descriptor }) => descriptor.name === 'curfew.context.ended')
      ?.dataPoints.map(({ value }) => value);
  };
  withCancel(background(), { name: 'a' })[1]();
  expect(await ended()).toEqual([1]);
  expect(await ended()).toEqual([0]);
  withCancel(background(), { name: 'a' })[1]();
  withCancel(background(), { name: 'a' })[1]();
  expect(await ended()).toEqual([2]);
});

test('a second install returns the first telemetry; bad options are refused by name', () => {
  expect(install()).toBe(telemetry);
  expect(() => install({ orphanGrace: -1 })).toThrow(/orphanGrace must be 0 or more/);
  expect(() => install({ lingerAfter: '5s' as never })).toThrow(
    /lingerAfter must be a number of milliseconds/,
  );
  expect(() => install({ maxNames: 0.5 })).toThrow(/maxNames must be a whole number/);
});

test('the live list holds records, not nodes: an abandoned context can be collected while it is watched', () => {
  const [ctx] = withCancel(background());
  const slot = nodeOf(ctx)?.slot;
  expect(typeof slot).toBe('number');
  end(ctx, { origin: 'shutdown' });
  expect(nodeOf(ctx)?.slot).toBe(-1);
});
