import { ATTRIBUTES, type AttributeKey, type OpenAttributeKey } from '../registry/attributes';
import { LIMIT } from '../registry/value-numbers';
import type { Exemplar, Exemplars } from '../figures/exemplars';
import { eachRow, isLongLived, nameOf, startOf, type OpenContexts } from '../figures/open-contexts';
import type { Instrument } from '../registry/instruments';
import { risingNow, type RisingClock } from '../figures/rising-clock';
import { add, reset, set, show, type Histogram, type Numbers, type Store } from '../figures/store';
import type { Orphans } from '../operations/orphans';

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
  readonly open: OpenContexts;
  readonly orphans: Orphans;
  readonly rising: RisingClock;
  readonly exemplars: Exemplars;
  /** Milliseconds. */
  readonly lingerAfter: number;
  /** Epoch milliseconds. */
  readonly installedAt: number;
  /** Exceptions so far, of listeners of the hooks and our own. */
  errors(): number;
}

/** All families at this moment. */
export function collect(parts: CollectParts): Family[] {
  const { store, orphans } = parts;
  const now = risingNow(parts.rising);
  orphans.catchUp(now);
  observeOpen(parts, now);
  observeSelf(parts);
  const families: Family[] = [];
  for (const numbers of Object.values(store.numbers)) families.push(numberFamily(numbers, parts, now));
  for (const histogram of Object.values(store.histograms)) families.push(histogramFamily(histogram, parts));
  return families.filter(({ points }) => points.length > 0);
}

/** What is known by looking at all open contexts: how many there are, how many linger, how old the oldest is. */
function observeOpen({ store, open, lingerAfter }: CollectParts, now: number): void {
  const { active, lingering, oldestAge, operations } = store.numbers;
  reset(active);
  reset(lingering);
  let oldest = now;
  eachRow(open, (row) => {
    const name = nameOf(open, row);
    add(active, name, 1);
    if (isLongLived(open, row)) return;
    const startedAt = startOf(open, row);
    if (startedAt < oldest) oldest = startedAt;
    if (now - startedAt >= lingerAfter) add(lingering, name, 1);
  });
  set(oldestAge, 0, (now - oldest) / 1000);
  // Those that come and go between two looks are told as zero, not left out.
  for (let name = 1; store.names.isGiven(name); name++) show(active, name);
  for (let kind = 1; store.kinds.isGiven(kind); kind++) show(operations, kind);
}

const OPEN = (Object.keys(ATTRIBUTES) as AttributeKey[]).filter(
  (key): key is OpenAttributeKey => 'more' in ATTRIBUTES[key],
);

function observeSelf({ store, installedAt, errors }: CollectParts): void {
  const { overflows, hookErrors, startTime, build } = store.numbers;
  for (const limit of ['name', 'kind', 'source', 'value'] as const) {
    const limited = OPEN.filter((key) => ATTRIBUTES[key].limit === limit);
    const beyond = limited.reduce((sum, key) => sum + store.labels[key].overflows, 0);
    set(overflows, LIMIT[limit], beyond);
  }
  set(hookErrors, 0, errors());
  set(startTime, 0, installedAt / 1000);
  set(build, 0, 1);
}

function numberFamily(numbers: Numbers, { orphans, store, exemplars }: CollectParts, now: number): Family {
  const { values, instrument, shown } = numbers;
  const points: NumberPoint[] = [];
  for (let cell = 0; cell < values.length; cell++) {
    const value =
      numbers === store.numbers.orphanTime ? orphans.wastedTime(cell, now) : (values[cell] as number);
    if (value !== 0) show(numbers, cell);
    else if (shown[cell] === 0) continue;
    const exemplar = exemplars.kept ? exemplars.of(numbers, cell) : undefined;
    const attributes = numbers.attributes(cell);
    points.push(exemplar === undefined ? { attributes, value } : { attributes, value, exemplar });
  }
  return { instrument: instrument as Instrument & { kind: 'counter' | 'gauge' }, points };
}

function histogramFamily(histogram: Histogram, { exemplars }: CollectParts): Family {
  const { boundaries, buckets, counts, sums } = histogram;
  const width = boundaries.length + 1;
  const points: HistogramPoint[] = [];
  for (let cell = 0; cell < counts.length; cell++) {
    const count = counts[cell] as number;
    if (count === 0) continue;
    const first = cell * width;
    const point = {
      attributes: histogram.attributes(cell),
      boundaries,
      counts: Array.from(buckets.subarray(first, first + width)),
      sum: sums[cell] as number,
      count,
    };
    points.push(
      exemplars.kept
        ? { ...point, exemplars: point.counts.map((_, bucket) => exemplars.of(histogram, first + bucket)) }
        : point,
    );
  }
  return { instrument: histogram.instrument as Instrument & { kind: 'histogram' }, points };
}

/** The families by instrument name, for tests and tools. */
export type Snapshot = ReadonlyMap<string, Family>;

export function snapshotOf(families: readonly Family[]): Snapshot {
  return new Map(families.map((family) => [family.instrument.name, family]));
}
