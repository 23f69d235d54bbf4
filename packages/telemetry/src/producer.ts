import { clock } from '@curfew/context/spi';
import type { Family, HistogramPoint, NumberPoint } from './collect';
import { withUnit } from './registry';

// OpenTelemetry's metric data, by shape: the numbers are those of sdk-metrics in both of its lines, which this
// package must not import.

const INSTRUMENT_TYPE = { counter: 'COUNTER', gauge: 'GAUGE', histogram: 'HISTOGRAM' } as const;
const DATA_POINT_TYPE = { histogram: 0, gauge: 2, counter: 3 } as const;
const TEMPORALITY = { delta: 0, cumulative: 1 } as const;
const VALUE_TYPE_DOUBLE = 1;

type HrTime = [number, number];

interface DataPoint {
  startTime: HrTime;
  endTime: HrTime;
  attributes: Record<string, string>;
  value: unknown;
}

interface MetricData {
  descriptor: {
    name: string;
    description: string;
    unit: string;
    type: string;
    valueType: number;
    advice: object;
  };
  aggregationTemporality: number;
  dataPointType: number;
  isMonotonic?: boolean;
  dataPoints: DataPoint[];
}

/** What a metric reader of either line takes as a `MetricProducer`. Its types are the SDK's, so it is cast there. */
export interface CurfewMetricProducer {
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- assignable to the SDK's type without importing it
  collect(options?: unknown): Promise<any>;
}

export interface ProducerOptions {
  /**
   * `otlp`, the default: names without units, as the conventions have them. `prometheus`: with the unit as the
   * last word, since OpenTelemetry's Prometheus exporter for JavaScript does not add it.
   */
  readonly dialect?: 'otlp' | 'prometheus';
  /** `cumulative` unless given. With `delta`, each producer keeps what it told last. */
  readonly temporality?: 'cumulative' | 'delta';
}

/** Makes a producer of all families for one reader. */
export function createProducer(
  collectFamilies: () => Family[],
  installedAt: number,
  version: string,
  options: ProducerOptions = {},
): CurfewMetricProducer {
  const { dialect = 'otlp', temporality = 'cumulative' } = options;
  const since = temporality === 'delta' ? createDeltas() : undefined;
  let startTime = hrTime(installedAt);
  return {
    collect() {
      const endTime = hrTime(clock().wallNow());
      const metrics = collectFamilies().map((family): MetricData => {
        const { instrument } = family;
        const told = since === undefined || instrument.kind === 'gauge' ? family : since(family);
        return {
          descriptor: {
            name: dialect === 'prometheus' ? withUnit(instrument) : instrument.name,
            description: instrument.help,
            unit: instrument.unit,
            type: INSTRUMENT_TYPE[instrument.kind],
            valueType: VALUE_TYPE_DOUBLE,
            advice: {},
          },
          aggregationTemporality: TEMPORALITY[temporality],
          dataPointType: DATA_POINT_TYPE[instrument.kind],
          ...(instrument.kind === 'counter' ? { isMonotonic: true } : {}),
          dataPoints: told.points.map((point) => ({
            startTime,
            endTime,
            attributes: point.attributes,
            value: 'counts' in point ? histogramValue(point) : point.value,
          })),
        };
      });
      if (since !== undefined) startTime = endTime;
      return Promise.resolve({
        resourceMetrics: {
          // The reader keeps its own resource and takes the metrics alone.
          resource: { attributes: {}, merge: (other: unknown) => other ?? {}, getRawAttributes: () => [] },
          scopeMetrics: [{ scope: { name: '@curfew/telemetry', version }, metrics }],
        },
        errors: [],
      });
    },
  };
}

function histogramValue({ boundaries, counts, sum, count }: HistogramPoint): unknown {
  return { buckets: { boundaries: [...boundaries], counts: [...counts] }, sum, count };
}

function hrTime(epochMs: number): HrTime {
  const seconds = Math.floor(epochMs / 1000);
  return [seconds, Math.round((epochMs - seconds * 1000) * 1e6)];
}

/** Turns cumulative families into what came since the last call. */
function createDeltas(): (family: Family) => Family {
  const last = new Map<string, NumberPoint | HistogramPoint>();
  return (family) => {
    const points = family.points.map((point) => {
      const key = `${family.instrument.name} ${JSON.stringify(point.attributes)}`;
      const former = last.get(key);
      last.set(key, point);
      return former === undefined ? point : minus(point, former);
    });
    return { ...family, points } as Family;
  };
}

function minus(
  point: NumberPoint | HistogramPoint,
  former: NumberPoint | HistogramPoint,
): NumberPoint | HistogramPoint {
  if ('counts' in point && 'counts' in former) {
    return {
      ...point,
      counts: point.counts.map((count, index) => count - (former.counts[index] ?? 0)),
      sum: point.sum - former.sum,
      count: point.count - former.count,
    };
  }
  return { ...point, value: (point as NumberPoint).value - (former as NumberPoint).value };
}
