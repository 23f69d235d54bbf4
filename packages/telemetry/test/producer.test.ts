import { background, withCancel, withTimeout } from '@curfew/context';
import { install, type CurfewMetricProducer, type ProducerOptions, type Telemetry } from '@curfew/telemetry';
import {
  AggregationTemporality,
  DataPointType,
  MeterProvider,
  MetricReader,
  type CollectionResult,
  type DataPoint,
  type Histogram,
  type MetricData,
} from '@opentelemetry/sdk-metrics';
import { JsonMetricsSerializer } from '@opentelemetry/otlp-transformer';
import { useManualClock, type ManualClock } from '../../../test/manual-clock';

let clock: ManualClock;
let restore: () => void;
let telemetry: Telemetry;
beforeEach(() => {
  ({ clock, restore } = useManualClock());
  telemetry = install();
});
afterEach(() => {
  telemetry.uninstall();
  restore();
});

const WALL = Date.UTC(2026, 0, 1) / 1000;

async function collect(producer: CurfewMetricProducer): Promise<ReadonlyMap<string, MetricData>> {
  const { resourceMetrics, errors } = (await producer.collect()) as CollectionResult;
  expect(errors).toEqual([]);
  const metrics = resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics);
  return new Map(metrics.map((metric) => [metric.descriptor.name, metric]));
}

function pointsOf(metrics: ReadonlyMap<string, MetricData>, name: string): DataPoint<unknown>[] {
  return metrics.get(name)?.dataPoints ?? [];
}

const ended = 'curfew.context.ended';
const valuesOf = (metrics: ReadonlyMap<string, MetricData>, name: string) =>
  pointsOf(metrics, name).map(({ value }) => value);
const intervalOf = (metrics: ReadonlyMap<string, MetricData>, name: string) =>
  pointsOf(metrics, name).map(({ startTime, endTime }) => [startTime[0] - WALL, endTime[0] - WALL]);
const life = (name: string) => withCancel(background(), { name })[1]('why');

test('deltas say what came in the interval, which joins on to the one before; the first begins at the installation', async () => {
  const producer = telemetry.producer({ temporality: 'delta' });
  clock.advance(10_000);
  life('a');
  const first = await collect(producer);
  expect(valuesOf(first, ended)).toEqual([1]);
  expect(intervalOf(first, ended)).toEqual([[0, 10]]);
  clock.advance(5_000);
  life('a');
  life('b');
  const second = await collect(producer);
  expect(valuesOf(second, ended)).toEqual([1, 1]);
  expect(intervalOf(second, ended)).toEqual([
    [10, 15],
    [10, 15],
  ]);
  clock.advance(5_000);
  expect(valuesOf(await collect(producer), ended)).toEqual([0, 0]);
});

test('a family that had no points is told in full as soon as it has some', async () => {
  const producer = telemetry.producer({ temporality: 'delta' });
  expect((await collect(producer)).has('curfew.deadline.lateness')).toBe(false);
  clock.advance(10_000);
  withTimeout(background(), 50);
  clock.block(80);
  clock.advance(1);
  const metrics = await collect(producer);
  const [point] = pointsOf(metrics, 'curfew.deadline.lateness') as DataPoint<Histogram>[];
  expect(point?.value).toMatchObject({ count: 1, sum: expect.closeTo(0.03, 9) });
  expect(intervalOf(metrics, 'curfew.deadline.lateness')).toEqual([[0, 10]]);
});

test('the buckets of a delta add up to its count, and all deltas to the cumulative figures', async () => {
  const deltas = telemetry.producer({ temporality: 'delta' });
  const duration = async (producer: CurfewMetricProducer) => {
    const [point] = pointsOf(await collect(producer), 'curfew.context.duration') as DataPoint<Histogram>[];
    return point?.value as Histogram;
  };
  const sums = { count: 0, sum: 0, counts: [] as number[] };
  for (let round = 0; round < 20; round++) {
    for (let index = 0; index <= round; index++) {
      const [, cancel] = withCancel(background());
      clock.advance(round * index);
      cancel('why');
    }
    const { buckets, count, sum = 0 } = await duration(deltas);
    expect(buckets.counts.reduce((all, each) => all + each)).toBe(count);
    expect(count).toBe(round + 1);
    sums.count += count;
    sums.sum += sum;
    sums.counts = buckets.counts.map((each, bucket) => each + (sums.counts[bucket] ?? 0));
  }
  const whole = await duration(telemetry.producer());
  expect(sums.count).toBe(whole.count);
  expect(sums.counts).toEqual(whole.buckets.counts);
  expect(sums.sum).toBeCloseTo(whole.sum ?? NaN, 9);
});

test('a gauge is told as it is, by whatever temporality', async () => {
  const producer = telemetry.producer({ temporality: 'delta' });
  withCancel(background(), { name: 'open' });
  for (let round = 0; round < 3; round++) {
    clock.advance(10_000);
    const metrics = await collect(producer);
    expect(valuesOf(metrics, 'curfew.context.active')).toEqual([1]);
    expect(valuesOf(metrics, 'curfew.context.oldest.age')).toEqual([10 * (round + 1)]);
    expect(metrics.get('curfew.context.active')?.aggregationTemporality).toBe(
      AggregationTemporality.CUMULATIVE,
    );
    expect(metrics.get('curfew.sdk.hook.errors')?.aggregationTemporality).toBe(AggregationTemporality.DELTA);
  }
});

test('two producers of deltas do not take from each other, and one made late misses nothing', async () => {
  const [one, other] = [
    telemetry.producer({ temporality: 'delta' }),
    telemetry.producer({ temporality: 'delta' }),
  ];
  life('a');
  expect(valuesOf(await collect(one), ended)).toEqual([1]);
  life('a');
  expect(valuesOf(await collect(other), ended)).toEqual([2]);
  expect(valuesOf(await collect(one), ended)).toEqual([1]);
  clock.advance(10_000);
  const late = await collect(telemetry.producer({ temporality: 'delta' }));
  expect(valuesOf(late, ended)).toEqual([2]);
  expect(intervalOf(late, ended)).toEqual([[0, 10]]);
});

test('names and kinds that differ only in what stands between them are told apart', async () => {
  const producer = telemetry.producer({ temporality: 'delta' });
  for (const name of ['a', 'a,b', 'a\nb', 'a b', '"a"']) life(name);
  await collect(producer);
  life('a,b');
  const values = Object.fromEntries(
    pointsOf(await collect(producer), ended).map(({ attributes, value }) => [
      attributes['curfew.context.name'],
      value,
    ]),
  );
  expect(values).toEqual({ a: 0, 'a,b': 1, a_b: 0, 'a b': 0, '"a"': 0 });
});

test('cumulative figures begin at the installation, and no interval ends before it begins, though the clock is set back', async () => {
  const producer = telemetry.producer();
  clock.advance(10_000);
  life('a');
  expect(intervalOf(await collect(producer), ended)).toEqual([[0, 10]]);
  clock.wallNow = () => (WALL - 20) * 1000;
  expect(intervalOf(await collect(producer), ended)).toEqual([[0, 10]]);
  const deltas = telemetry.producer({ temporality: 'delta' });
  expect(intervalOf(await collect(deltas), ended)).toEqual([[0, 0]]);
});

test("what a reader of the SDK hands on is what OTLP calls it, in both of the API's temporalities", async () => {
  class Reader extends MetricReader {
    protected override onForceFlush = async () => undefined;
    protected override onShutdown = async () => undefined;
  }
  life('a');
  for (const temporality of ['cumulative', 'delta'] as const) {
    const reader = new Reader({ metricProducers: [telemetry.producer({ temporality })] });
    const provider = new MeterProvider({ readers: [reader] });
    const { resourceMetrics } = await reader.collect();
    await provider.shutdown();
    const bytes = JsonMetricsSerializer.serializeRequest(resourceMetrics);
    const request = JSON.parse(new TextDecoder().decode(bytes));
    const metrics: any[] = request.resourceMetrics[0].scopeMetrics[0].metrics;
    const metric = (name: string) => metrics.find((each) => each.name === name);
    const expected = temporality === 'delta' ? 1 : 2;
    expect(metric('curfew.context.ended')).toMatchObject({
      unit: '{context}',
      sum: { aggregationTemporality: expected, isMonotonic: true, dataPoints: [{ asDouble: 1 }] },
    });
    expect(metric('curfew.context.duration')).toMatchObject({
      unit: 's',
      histogram: { aggregationTemporality: expected, dataPoints: [{ count: 1 }] },
    });
    expect(metric('curfew.context.active')).toMatchObject({ gauge: { dataPoints: [{ asDouble: 0 }] } });
  }
});

test('what is told is new at each collection: a reader that changes it changes nothing here', async () => {
  const producer = telemetry.producer({ temporality: 'delta' });
  life('a');
  const first = await collect(producer);
  for (const metric of first.values()) {
    if (metric.dataPointType !== DataPointType.HISTOGRAM) continue;
    for (const { value } of metric.dataPoints) {
      value.buckets.counts.fill(1000);
      value.buckets.boundaries.length = 0;
    }
  }
  life('a');
  const [point] = pointsOf(await collect(producer), 'curfew.context.duration') as DataPoint<Histogram>[];
  expect(point?.value.buckets.counts[0]).toBe(1);
  expect(point?.value.buckets.boundaries).toHaveLength(16);
});

test('a dialect or a temporality that there is not is refused by name', () => {
  const bad: [unknown, RegExp][] = [
    [{ dialect: 'Prometheus' }, /^dialect must be 'otlp' or 'prometheus', got Prometheus$/],
    [{ dialect: null }, /^dialect must be 'otlp' or 'prometheus', got null$/],
    [{ temporality: 'lowmemory' }, /^temporality must be 'cumulative' or 'delta', got lowmemory$/],
    [{ temporality: 1 }, /^temporality must be 'cumulative' or 'delta', got 1$/],
    [null, /^options must be an object such as \{ dialect, temporality \}, got null$/],
    ['delta', /^options must be an object such as \{ dialect, temporality \}, got delta$/],
  ];
  for (const [options, message] of bad) {
    const call = () => telemetry.producer(options as ProducerOptions);
    expect(call).toThrow(message);
    expect(call).toThrow(TypeError);
  }
  telemetry.producer({ dialect: undefined, temporality: undefined } as never);
});
