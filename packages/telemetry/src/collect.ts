import { clock, hookErrors } from '@curfew/context/spi';
import { LIMIT } from './cells';
import type { Live } from './live';
import type { Instrument } from './registry';
import type { Histogram, Numbers, Store } from './store';
import type { Work } from './work';

/** One measurement of a series with the span that it was made under: the way from a figure to a trace. */
export interface Exemplar {
  readonly traceId: string;
  readonly spanId: string;
  /** In the instrument's unit. */
  readonly value: number;
  /** Epoch milliseconds. */
  readonly at: number;
}

/** A series of a counter or gauge. */
export interface NumberPoint {
  readonly attributes: Readonly<Record<string, string>>;
  readonly value: number;
  /** The latest, where exemplars are kept and the measurement was made under a sampled span. */
  readonly exemplar?: Exemplar;
}

/** A series of a histogram. */
export interface HistogramPoint {
  readonly attributes: Readonly<Record<string, string>>;
  readonly boundaries: readonly number[];
  /** One more than there are boundaries; not cumulative. */
  readonly counts: readonly number[];
  readonly sum: number;
  readonly count: number;
  /** The latest of each bucket, where exemplars are kept and the measurement was made under a sampled span. */
  readonly exemplars?: readonly (Exemplar | undefined)[];
}

/** An instrument with its series that were ever fed. */
export type Family =
  | { readonly instrument: Instrument & { kind: 'histogram' }; readonly points: readonly HistogramPoint[] }
  | {
      readonly instrument: Instrument & { kind: 'counter' | 'gauge' };
      readonly points: readonly NumberPoint[];
    };

export interface CollectParts {
  readonly store: Store;
  readonly live: Live;
  readonly work: Work;
  /** Milliseconds. */
  readonly lingerAfter: number;
  /** Epoch milliseconds. */
  readonly installedAt: number;
  /** Errors of the processor, beside those of the hooks. */
  ownErrors(): number;
}

/** All families at this moment. */
export function collect(parts: CollectParts): Family[] {
  const { store, work } = parts;
  const now = clock().now();
  work.catchUp(now);
  observeLive(parts, now);
  observeSelf(parts);
  const families: Family[] = [];
  for (const numbers of Object.values(store.numbers)) families.push(numberFamily(numbers, work, store, now));
  for (const histogram of Object.values(store.histograms)) families.push(histogramFamily(histogram));
  return families.filter(({ points }) => points.length > 0);
}

/** Lingering contexts and the age of the oldest: worked out when asked for, from the old end of the list. */
function observeLive({ store, live, lingerAfter }: CollectParts, now: number): void {
  const { lingering, oldestAge } = store.numbers;
  lingering.values.fill(0);
  oldestAge.values[0] = 0;
  live.eachFromOldest((startedAt, name) => {
    const age = now - startedAt;
    oldestAge.values[0] = Math.max(oldestAge.values[0] as number, age / 1000);
    if (age < lingerAfter) return false;
    lingering.values[name] = (lingering.values[name] as number) + 1;
    return true;
  });
}

function observeSelf({ store, installedAt, ownErrors }: CollectParts): void {
  const { overflows, hookErrors: errors, startTime, build } = store.numbers;
  overflows.values[LIMIT.name] = store.names.overflows;
  overflows.values[LIMIT.kind] = store.kinds.overflows;
  overflows.values[LIMIT.source] = store.sources.overflows;
  errors.values[0] = hookErrors() + ownErrors();
  startTime.values[0] = installedAt / 1000;
  build.values[0] = 1;
}

function numberFamily(numbers: Numbers, work: Work, store: Store, now: number): Family {
  const { values, instrument } = numbers;
  const points: NumberPoint[] = [];
  const unlabelled = instrument.attributes.length === 0;
  for (let cell = 0; cell < values.length; cell++) {
    let value = values[cell] as number;
    if (numbers === store.numbers.orphanTime) value += work.runningOrphanTime(cell, now);
    if (value !== 0 || unlabelled || isSeen(numbers, cell, store)) {
      points.push({ attributes: numbers.attributes(cell), value });
    }
  }
  return { instrument: instrument as Instrument & { kind: 'counter' | 'gauge' }, points };
}

/** A gauge that fell back to zero is still shown, as long as its counterpart counter says that it ever rose. */
function isSeen(numbers: Numbers, cell: number, store: Store): boolean {
  const { active, lingering, operations, orphansActive, orphans } = store.numbers;
  if (numbers === active || numbers === lingering) return cell > 0 && store.names.isGiven(cell);
  if (numbers === operations) return cell > 0 && store.kinds.isGiven(cell);
  return numbers === orphansActive && (orphans.values[cell] as number) > 0;
}

function histogramFamily(histogram: Histogram): Family {
  const { boundaries, buckets, counts, sums } = histogram;
  const width = boundaries.length + 1;
  const points: HistogramPoint[] = [];
  for (let cell = 0; cell < counts.length; cell++) {
    const count = counts[cell] as number;
    if (count === 0) continue;
    points.push({
      attributes: histogram.attributes(cell),
      boundaries,
      counts: Array.from(buckets.subarray(cell * width, (cell + 1) * width)),
      sum: sums[cell] as number,
      count,
    });
  }
  return { instrument: histogram.instrument as Instrument & { kind: 'histogram' }, points };
}

/** The families by instrument name, for tests and tools. */
export type Snapshot = ReadonlyMap<string, Family>;

export function snapshotOf(families: readonly Family[]): Snapshot {
  return new Map(families.map((family) => [family.instrument.name, family]));
}
