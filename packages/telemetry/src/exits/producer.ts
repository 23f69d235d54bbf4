import { clock } from '@curfew/context/spi';
import type { Family, HistogramPoint, NumberPoint } from './collect';
import { withUnit } from '../registry/prometheus-names';

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

const DIALECTS: readonly unknown[] = ['otlp', 'prometheus'] satisfies ProducerOptions['dialect'][];
const TEMPORALITIES: readonly unknown[] = ['cumulative', 'delta'] satisfies ProducerOptions['temporality'][];

/**
 * Makes a producer of all families for one reader.
 *
 * @throws TypeError naming the option that is wrong.
 */
export function createProducer(
  collectFamilies: () => readonly Family[],
  installedAt: number,
  version: string,
  options: ProducerOptions = {},
): CurfewMetricProducer {
  const { dialect, temporality } = checked(options);
  const isDelta = temporality === 'delta';
  const since = createDeltas();
  let intervalStart = installedAt;

  function metricOf(family: Family, endTime: HrTime): MetricData {
    const { instrument } = family;
    // A gauge says how things are now, and so it has no delta.
    const asDelta = isDelta && instrument.kind !== 'gauge';
    const points: readonly (NumberPoint | HistogramPoint)[] = asDelta ? since(family) : family.points;
    const startTime = hrTime(asDelta ? intervalStart : installedAt);
    return {
      descriptor: {
        name: dialect === 'prometheus' ? withUnit(instrument) : instrument.name,
        description: instrument.help,
        unit: instrument.unit,
        type: INSTRUMENT_TYPE[instrument.kind],
        valueType: VALUE_TYPE_DOUBLE,
        advice: {},
      },
      aggregationTemporality: asDelta ? TEMPORALITY.delta : TEMPORALITY.cumulative,
      dataPointType: DATA_POINT_TYPE[instrument.kind],
      ...(instrument.kind === 'counter' ? { isMonotonic: true } : {}),
      dataPoints: points.map((point) => ({
        startTime,
        endTime,
        attributes: point.attributes,
        value: 'counts' in point ? histogramValue(point) : point.value,
      })),
    };
  }

  return {
    async collect() {
      // The system's clock can be set back, and no interval ends before it began.
      const now = Math.max(intervalStart, clock().wallNow());
      const endTime = hrTime(now);
      const metrics = collectFamilies().map((family) => metricOf(family, endTime));
      intervalStart = now;
      return {
        resourceMetrics: {
          // The reader keeps its own resource and takes the metrics alone.
          resource: { attributes: {}, merge: (other: unknown) => other ?? {}, getRawAttributes: () => [] },
          scopeMetrics: [{ scope: { name: '@curfew/telemetry', version }, metrics }],
        },
        errors: [],
      };
    },
  };
}

function checked(options: ProducerOptions): Required<ProducerOptions> {
  if (typeof options !== 'object' || options === null) {
    throw new TypeError(`options must be an object such as { dialect, temporality }, got ${String(options)}`);
  }
  const { dialect = 'otlp', temporality = 'cumulative' } = options;
  if (!DIALECTS.includes(dialect)) {
    throw new TypeError(`dialect must be 'otlp' or 'prometheus', got ${String(dialect)}`);
  }
  if (!TEMPORALITIES.includes(temporality)) {
    throw new TypeError(`temporality must be 'cumulative' or 'delta', got ${String(temporality)}`);
  }
  return { dialect, temporality };
}

function histogramValue({ boundaries, counts, sum, count }: HistogramPoint): unknown {
  return { buckets: { boundaries: [...boundaries], counts: [...counts] }, sum, count };
}

function hrTime(epochMs: number): HrTime {
  const seconds = Math.floor(epochMs / 1000);
  return [seconds, Math.round((epochMs - seconds * 1000) * 1e6)];
}

/** Turns the points of a cumulative family into what came since the last call. */
function createDeltas(): (family: Family) => readonly (NumberPoint | HistogramPoint)[] {
  const last = new Map<string, NumberPoint | HistogramPoint>();
  return ({ instrument, points }) =>
    points.map((point) => {
      // The attributes of an instrument are always in one order, and none of their values holds a line break.
      const key = `${instrument.name}\n${Object.values(point.attributes).join('\n')}`;
      const former = last.get(key);
      last.set(key, point);
      return former === undefined ? point : minus(point, former);
    });
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
