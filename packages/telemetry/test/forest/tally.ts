/** Figures by family and labels, in one spelling for every way out: `curfew.cancel.fanout_sum{curfew_cancel_reason="canceled"}`. */
export type Samples = ReadonlyMap<string, number>;

/** Counts what the model sees. Whole milliseconds add up without rounding, so they become seconds at the very end. */
export interface Tally {
  /** Labels may come in two parts, so that those of a context need not be joined anew for each count. */
  count(family: string, labels: string, more?: string, by?: number): void;
  /** Adds a measurement to a histogram: milliseconds, or a number of contexts. */
  measure(family: string, labels: string, value: number): void;
  /** The label of a name, a kind, a source: its own while there is room, given out at first sight. */
  label(limit: Limit, value: string | undefined): string;
  samples(): Map<string, number>;
}

export type Limit = 'name' | 'kind' | 'source';

const KEYS: Record<Limit, string> = {
  name: 'curfew_context_name',
  kind: 'curfew_operation_kind',
  source: 'curfew_source',
};

const LATENCY = [
  0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000,
];
const LIFETIME = [
  1, 5, 10, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 120_000, 300_000, 600_000,
];
const DELAY = [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000];
const SETTLING = [1, 10, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 60_000, 300_000];
const SLACK = [0, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000];
const FANOUT = [0, 1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 10_000];

/** The upper bounds of the buckets, written down a second time: in milliseconds, but for the fan-out. */
const BOUNDS: Readonly<Record<string, readonly number[]>> = {
  'curfew.context.duration': LIFETIME,
  'curfew.cancel.fanout': FANOUT,
  'curfew.cancel.propagation.duration': LATENCY,
  'curfew.cancel.settle.duration': SETTLING,
  'curfew.deadline.lateness': DELAY,
  'curfew.deadline.remaining': SLACK,
  'curfew.backend.cancel.duration': DELAY,
  'curfew.cleanup.duration': LIFETIME,
};

/** A histogram of numbers, where all others are of seconds. */
const WITHOUT_UNIT = 'curfew.cancel.fanout';
/** A counter of seconds, where all others are of things. */
const IN_SECONDS = 'curfew.orphan.time';

/** A histogram's series. */
interface Buckets {
  readonly bounds: readonly number[];
  readonly counts: number[];
  sum: number;
}

export function createTally(caps: Readonly<Record<Limit, number>>): Tally {
  /** By family, by what more there is of labels, and by labels. */
  const numbers = new Map<string, Map<string, Map<string, number>>>();
  const histograms = new Map<string, Map<string, Buckets>>();
  const labels: Record<Limit, Map<string, string>> = { name: new Map(), kind: new Map(), source: new Map() };

  const tally: Tally = {
    count(family, key, more = '', by = 1) {
      const parts = entryOf(numbers, family, newMap<Map<string, number>>);
      const series = entryOf(parts, more, newMap<number>);
      series.set(key, (series.get(key) ?? 0) + by);
    },
    measure(family, key, value) {
      const series = entryOf(histograms, family, newMap<Buckets>);
      const buckets = series.get(key) ?? entryOf(series, key, () => newBuckets(BOUNDS[family] ?? []));
      const { bounds, counts } = buckets;
      let index = 0;
      while (index < bounds.length && value > (bounds[index] as number)) index++;
      counts[index] = (counts[index] as number) + 1;
      buckets.sum += value;
    },
    label(limit, value) {
      const known = labels[limit];
      const name = value === undefined || value === '' ? 'unnamed' : value;
      const label = known.get(name);
      if (label !== undefined) return label;
      if (known.size < caps[limit])
        return entryOf(known, name, () => `${KEYS[limit]}=${JSON.stringify(name)}`);
      tally.count('curfew.sdk.overflows', `curfew_sdk_limit="${limit}"`);
      return OTHERS[limit];
    },
    samples() {
      const samples = new Map<string, number>();
      for (const [family, parts] of numbers) {
        const unit = family === IN_SECONDS ? 1000 : 1;
        for (const [more, series] of parts) {
          for (const [key, value] of series) {
            samples.set(`${family}{${more === '' ? key : `${key},${more}`}}`, value / unit);
          }
        }
      }
      for (const [family, series] of histograms) {
        for (const [key, buckets] of series) addBuckets(samples, family, key, buckets);
      }
      return samples;
    },
  };
  return tally;
}

const OTHERS: Record<Limit, string> = {
  name: `${KEYS.name}="_OTHER"`,
  kind: `${KEYS.kind}="_OTHER"`,
  source: `${KEYS.source}="_OTHER"`,
};

const newMap = <V>(): Map<string, V> => new Map();

function newBuckets(bounds: readonly number[]): Buckets {
  return { bounds, counts: new Array<number>(bounds.length + 1).fill(0), sum: 0 };
}

/** What a map holds under a key, made at first sight. */
function entryOf<V>(map: Map<string, V>, key: string, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}

function addBuckets(
  samples: Map<string, number>,
  family: string,
  key: string,
  { bounds, counts, sum }: Buckets,
): void {
  const unit = family === WITHOUT_UNIT ? 1 : 1000;
  let count = 0;
  counts.forEach((more, index) => {
    const bound = bounds[index];
    samples.set(bucketKey(family, key, bound === undefined ? Infinity : bound / unit), (count += more));
  });
  samples.set(`${family}_count{${key}}`, count);
  samples.set(`${family}_sum{${key}}`, sum / unit);
}

/** How a bucket is spelled; the bound as a number, since texts differ by who wrote them. */
export function bucketKey(family: string, key: string, bound: number): string {
  return `${family}_bucket{${key}} <= ${Number(bound.toPrecision(9))}`;
}
