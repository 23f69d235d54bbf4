import type { Exemplar } from '../figures/exemplars';
import type { Family, HistogramPoint, NumberPoint } from './collect';
import { ATTRIBUTES, type AttributeKey } from '../registry/attributes';
import { INSTRUMENTS, type Instrument, type InstrumentId } from '../registry/instruments';
import { prometheusLabel, prometheusName } from '../registry/prometheus-names';

// A metric of prom-client by its shape, which is all that its registries ask for.

/** A line of the text, before the registry writes it. */
export interface PromSample {
  /** Where it is not the family's own. */
  readonly metricName?: string;
  readonly labels: Record<string, string | number>;
  readonly value: number;
  readonly exemplar?: PromExemplar;
}

interface PromExemplar {
  readonly labelSet: { readonly trace_id: string; readonly span_id: string };
  readonly value: number;
  /** Epoch seconds. */
  readonly timestamp: number;
}

/** What a registry writes as one family. */
export interface PromFigures {
  readonly name: string;
  readonly help: string;
  readonly type: Instrument['kind'];
  readonly aggregator: Aggregator;
  readonly values: PromSample[];
}

/** How a cluster's primary makes one series of its workers'. */
type Aggregator = 'sum' | 'max' | 'first';

/** What a registry of prom-client takes as a metric. */
export interface PromFamily {
  name: string;
  readonly help: string;
  readonly type: Instrument['kind'];
  readonly aggregator: Aggregator;
  /** For JSON, which is also how a worker of a cluster tells its primary. */
  get(): Promise<PromFigures>;
  /** For text; a registry that finds it does not use `get`. */
  getForPromString(): Promise<PromFigures>;
  reset(): void;
}

/** Where the family's points come from, and what they are written for. */
export interface PromFamilySource {
  points(): Family['points'];
  isOpenMetrics(): boolean;
}

/**
 * Counts add up, of whatever kind. The oldest of all contexts is the oldest in any worker. The latest start tells
 * of each worker that was started anew, at which the sums fall; the earliest would tell of one worker alone.
 */
const AGGREGATORS: { readonly [id in InstrumentId]?: Aggregator } = {
  oldestAge: 'max',
  startTime: 'max',
  build: 'first',
};

/** OpenMetrics allows an exemplar's labels so many characters, names included. */
const MAX_EXEMPLAR_LABELS = 128 - 'trace_id'.length - 'span_id'.length;

const LABELS: Readonly<Record<string, string>> = Object.fromEntries(
  (Object.keys(ATTRIBUTES) as AttributeKey[]).map((key) => [key, prometheusLabel(key)]),
);

/** A point's own attributes, which may be more than its instrument declares: an option of `install` can add some. */
function labelsOf({ attributes }: NumberPoint | HistogramPoint): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const [key, value] of Object.entries(attributes)) labels[LABELS[key] ?? key] = value;
  return labels;
}

/** An instrument as a metric of prom-client. */
export function createPromFamily(id: InstrumentId, source: PromFamilySource): PromFamily {
  const instrument: Instrument = INSTRUMENTS[id];
  const { kind: type, help } = instrument;
  const aggregator = AGGREGATORS[id] ?? 'sum';
  const fullName = prometheusName(instrument);
  const figures = (name: string): PromFigures => {
    const values: PromSample[] = [];
    const withExemplars = source.isOpenMetrics();
    for (const point of source.points()) {
      if ('counts' in point) addHistogram(values, name, labelsOf(point), point, withExemplars);
      else {
        // OpenMetrics has no exemplars of gauges.
        const exemplar = type === 'counter' && withExemplars ? exemplarOf(point.exemplar) : undefined;
        values.push({ labels: labelsOf(point), value: point.value, ...(exemplar && { exemplar }) });
      }
    }
    return { name, help, type, aggregator, values };
  };
  return {
    help,
    type,
    aggregator,
    get name() {
      return fullName;
    },
    // A registry that writes OpenMetrics takes `_total` off the name, for good: the family would go by another name
    // in JSON, and so in a cluster, from then on. `getForPromString` tells it what it wants to hear instead.
    set name(_stripped) {},
    get: async () => figures(fullName),
    getForPromString: async () =>
      figures(source.isOpenMetrics() && type === 'counter' ? fullName.replace(/_total$/, '') : fullName),
    // `registry.resetMetrics()` is for metrics that the registry owns. These figures have other readers too, and
    // a counter that falls to zero is what Prometheus takes for a restart.
    reset() {},
  };
}

function addHistogram(
  values: PromSample[],
  name: string,
  labels: Record<string, string>,
  point: HistogramPoint,
  withExemplars: boolean,
): void {
  const { boundaries, counts, exemplars, sum, count } = point;
  let cumulative = 0;
  for (let bucket = 0; bucket < counts.length; bucket++) {
    cumulative += counts[bucket] as number;
    const exemplar = withExemplars ? exemplarOf(exemplars?.[bucket]) : undefined;
    values.push({
      metricName: `${name}_bucket`,
      labels: { le: boundaries[bucket] ?? '+Inf', ...labels },
      value: cumulative,
      ...(exemplar && { exemplar }),
    });
  }
  values.push({ metricName: `${name}_sum`, labels, value: sum });
  values.push({ metricName: `${name}_count`, labels, value: count });
}

function exemplarOf(exemplar: Exemplar | undefined): PromExemplar | undefined {
  if (exemplar === undefined) return undefined;
  const { traceId, spanId, value, at } = exemplar;
  // One line that is not valid loses the whole scrape, and an id generator of the user's own may make longer ids.
  if (traceId.length + spanId.length > MAX_EXEMPLAR_LABELS || Number.isNaN(value)) return undefined;
  return { labelSet: { trace_id: traceId, span_id: spanId }, value, timestamp: at / 1000 };
}
