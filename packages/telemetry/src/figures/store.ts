import { createLabels, type Labels } from './labels';
import { ATTRIBUTES, type AttributeKey, type Domain } from '../registry/attributes';
import { INSTRUMENTS, type Instrument, type InstrumentId } from '../registry/instruments';

/**
 * All figures of the process, in typed arrays. A series is a cell: the numbers of its attribute values in mixed
 * radix. An update is an addition at an index, which allocates nothing and costs a few nanoseconds, where an
 * OpenTelemetry instrument with attributes costs half a microsecond.
 */
export interface Store {
  readonly names: Labels;
  readonly kinds: Labels;
  readonly sources: Labels;
  readonly numbers: Readonly<Record<NumberId, Numbers>>;
  readonly histograms: Readonly<Record<HistogramId, Histogram>>;
}

/** The cells of a counter or a gauge. */
export interface Numbers {
  readonly instrument: Instrument;
  readonly values: Float64Array;
  /** 1 for each cell that is told even at zero: one that ever was not zero, and the only one of a family. */
  readonly shown: Uint8Array;
  /** The attributes of a cell. */
  attributes(cell: number): Record<string, string>;
}

/** The cells of a histogram. */
export interface Histogram {
  readonly instrument: Instrument;
  readonly boundaries: readonly number[];
  /** `boundaries.length + 1` counts a cell, not cumulative. */
  readonly buckets: Float64Array;
  readonly sums: Float64Array;
  readonly counts: Float64Array;
  /** Records a value in the histogram's unit; returns the index of its bucket, in `buckets`. */
  record(cell: number, value: number): number;
  attributes(cell: number): Record<string, string>;
}

type IdOf<K extends Instrument['kind']> = {
  [I in InstrumentId]: (typeof INSTRUMENTS)[I]['kind'] extends K ? I : never;
}[InstrumentId];
export type NumberId = IdOf<'counter' | 'gauge'>;
export type HistogramId = IdOf<'histogram'>;

/** Caps of what users and adapters name. */
export interface StoreOptions {
  readonly maxNames: number;
  readonly maxKinds: number;
  /** Whether the duration of contexts is kept for each name. */
  readonly durationByName: boolean;
  readonly version: string;
}

const MAX_SOURCES = 12;

interface Dimension {
  readonly key: AttributeKey;
  readonly size: number;
  value(index: number): string;
}

export function createStore(options: StoreOptions): Store {
  const labels = {
    name: createLabels(options.maxNames),
    kind: createLabels(options.maxKinds),
    source: createLabels(MAX_SOURCES),
  };
  const numbers: Partial<Record<InstrumentId, Numbers>> = {};
  const histograms: Partial<Record<InstrumentId, Histogram>> = {};
  for (const [id, declared] of Object.entries(INSTRUMENTS) as [InstrumentId, Instrument][]) {
    const instrument = id === 'duration' && options.durationByName ? byName(declared) : declared;
    const dimensions = instrument.attributes.map((key) => dimension(key, labels, options));
    if (instrument.kind === 'histogram') histograms[id] = createHistogram(instrument, dimensions);
    else numbers[id] = createNumbers(instrument, dimensions);
  }
  return {
    names: labels.name,
    kinds: labels.kind,
    sources: labels.source,
    numbers: numbers as Record<NumberId, Numbers>,
    histograms: histograms as Record<HistogramId, Histogram>,
  };
}

/** The instrument with the context's name as its first attribute. */
function byName(instrument: Instrument): Instrument {
  return { ...instrument, attributes: ['curfew.context.name', ...instrument.attributes] };
}

function dimension(
  key: AttributeKey,
  labels: Record<'name' | 'kind' | 'source', Labels>,
  options: StoreOptions,
): Dimension {
  const domain: Domain = ATTRIBUTES[key];
  if ('dynamic' in domain) {
    const own = labels[domain.dynamic];
    return { key, size: own.size, value: own.value };
  }
  const values = key === 'curfew.version' ? [options.version] : domain.values;
  return { key, size: values.length, value: (index) => values[index] ?? '' };
}

function cellCount(dimensions: readonly Dimension[]): number {
  return dimensions.reduce((product, { size }) => product * size, 1);
}

function decode(dimensions: readonly Dimension[], cell: number): Record<string, string> {
  const attributes: Record<string, string> = {};
  let rest = cell;
  for (let index = dimensions.length - 1; index >= 0; index--) {
    const { key, size, value } = dimensions[index] as Dimension;
    attributes[key] = value(rest % size);
    rest = Math.floor(rest / size);
  }
  return attributes;
}

function createNumbers(instrument: Instrument, dimensions: readonly Dimension[]): Numbers {
  return {
    instrument,
    values: new Float64Array(cellCount(dimensions)),
    shown: new Uint8Array(cellCount(dimensions)).fill(dimensions.length === 0 ? 1 : 0),
    attributes: (cell) => decode(dimensions, cell),
  };
}

function createHistogram(instrument: Instrument, dimensions: readonly Dimension[]): Histogram {
  const boundaries = instrument.boundaries ?? [];
  const width = boundaries.length + 1;
  const cells = cellCount(dimensions);
  const buckets = new Float64Array(cells * width);
  const sums = new Float64Array(cells);
  const counts = new Float64Array(cells);
  return {
    instrument,
    boundaries,
    buckets,
    sums,
    counts,
    record(cell, value) {
      const clean = recordable(value);
      let bucket = 0;
      while (bucket < boundaries.length && clean > (boundaries[bucket] as number)) bucket++;
      const index = cell * width + bucket;
      buckets[index] = (buckets[index] as number) + 1;
      sums[cell] = (sums[cell] as number) + clean;
      counts[cell] = (counts[cell] as number) + 1;
      return index;
    },
    attributes: (cell) => decode(dimensions, cell),
  };
}

/** A clock that was swapped or set back must not make a sum fall, nor a NaN swallow it. */
export function recordable(value: number): number {
  return value > 0 && value < Infinity ? value : 0;
}

/** Adds to a cell of a counter or gauge. */
export function add(numbers: Numbers, cell: number, amount: number): void {
  numbers.values[cell] = (numbers.values[cell] as number) + amount;
}
