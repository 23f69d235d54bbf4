import { createLabels, type Labels } from './labels';
import { ATTRIBUTES, type AttributeKey, type Domain, type OpenAttributeKey } from '../registry/attributes';
import { INSTRUMENTS, type Instrument, type InstrumentId } from '../registry/instruments';

/**
 * All figures of the process, in typed arrays. A series is a cell: the numbers of its attribute values in mixed
 * radix. An update is an addition at an index, which allocates nothing and costs a few nanoseconds, where an
 * OpenTelemetry instrument with attributes costs half a microsecond. This file alone writes the arrays.
 */
export interface Store {
  /** Of each attribute whose values users and adapters bring. */
  readonly labels: Readonly<Record<OpenAttributeKey, Labels>>;
  /** Of contexts. */
  readonly names: Labels;
  /** Of operations. */
  readonly kinds: Labels;
  readonly numbers: Readonly<Record<NumberId, Numbers>>;
  readonly histograms: Readonly<Record<HistogramId, Histogram>>;
}

/** The series of an instrument. */
interface Cells {
  readonly instrument: Instrument;
  /** How many there are. */
  readonly size: number;
  /** The cell of a series, by the numbers of its attribute values in the order in which they are declared. */
  cell(first?: number, second?: number, third?: number): number;
  /** The attributes of a cell. */
  attributes(cell: number): Record<string, string>;
}

/** The cells of a counter or a gauge. */
export interface Numbers extends Cells {
  readonly values: Float64Array;
  /** 1 for each cell that is told even at zero: one that ever was not zero, and the only one of a family. */
  readonly shown: Uint8Array;
}

/** The cells of a histogram. */
export interface Histogram extends Cells {
  readonly boundaries: readonly number[];
  /** `boundaries.length + 1` counts a cell, not cumulative. */
  readonly buckets: Float64Array;
  readonly sums: Float64Array;
  readonly counts: Float64Array;
  /** Records a value in the histogram's unit; returns the index of its bucket, in `buckets`. */
  record(cell: number, value: number): number;
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

interface Dimension {
  readonly key: AttributeKey;
  readonly size: number;
  value(index: number): string;
}

export function createStore(options: StoreOptions): Store {
  const labels: Partial<Record<AttributeKey, Labels>> = {};
  for (const [key, domain] of Object.entries(ATTRIBUTES) as [AttributeKey, Domain][]) {
    if (!('more' in domain)) continue;
    const { values, more } = domain;
    labels[key] = createLabels(values, typeof more === 'number' ? more : options[more]);
  }
  const numbers: Partial<Record<InstrumentId, Numbers>> = {};
  const histograms: Partial<Record<InstrumentId, Histogram>> = {};
  for (const [id, declared] of Object.entries(INSTRUMENTS) as [InstrumentId, Instrument][]) {
    const instrument = id === 'duration' && options.durationByName ? byName(declared) : declared;
    const cells = createCells(
      instrument,
      instrument.attributes.map((key) => dimension(key, labels[key], options)),
    );
    if (instrument.kind === 'histogram') histograms[id] = createHistogram(cells);
    else numbers[id] = createNumbers(cells);
  }
  const all = labels as Record<OpenAttributeKey, Labels>;
  return {
    labels: all,
    names: all['curfew.context.name'],
    kinds: all['curfew.operation.kind'],
    numbers: numbers as Record<NumberId, Numbers>,
    histograms: histograms as Record<HistogramId, Histogram>,
  };
}

/** The instrument with the context's name as its first attribute. */
function byName(instrument: Instrument): Instrument {
  return { ...instrument, attributes: ['curfew.context.name', ...instrument.attributes] };
}

function dimension(key: AttributeKey, labels: Labels | undefined, options: StoreOptions): Dimension {
  if (labels !== undefined) return { key, size: labels.size, value: labels.value };
  const values: readonly string[] = key === 'curfew.version' ? [options.version] : ATTRIBUTES[key].values;
  return { key, size: values.length, value: (index) => values[index] ?? '' };
}

function createCells(instrument: Instrument, dimensions: readonly Dimension[]): Cells {
  const cellsOf = (of: readonly Dimension[]) => of.reduce((product, { size }) => product * size, 1);
  /** How far apart two neighbours of each attribute are: the last one's are side by side. */
  const [first = 0, second = 0, third = 0] = dimensions.map((_, index) =>
    cellsOf(dimensions.slice(index + 1)),
  );
  return {
    instrument,
    size: cellsOf(dimensions),
    cell: (a = 0, b = 0, c = 0) => a * first + b * second + c * third,
    attributes(cell) {
      const attributes: Record<string, string> = {};
      let rest = cell;
      for (let index = dimensions.length - 1; index >= 0; index--) {
        const { key, size, value } = dimensions[index] as Dimension;
        attributes[key] = value(rest % size);
        rest = Math.floor(rest / size);
      }
      return attributes;
    },
  };
}

function createNumbers(cells: Cells): Numbers {
  const { size, instrument } = cells;
  const isOnly = instrument.attributes.length === 0;
  return { ...cells, values: new Float64Array(size), shown: new Uint8Array(size).fill(isOnly ? 1 : 0) };
}

function createHistogram(cells: Cells): Histogram {
  const boundaries = cells.instrument.boundaries ?? [];
  const width = boundaries.length + 1;
  const buckets = new Float64Array(cells.size * width);
  const sums = new Float64Array(cells.size);
  const counts = new Float64Array(cells.size);
  return {
    ...cells,
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
  };
}

/** A clock that was swapped or set back must not make a sum fall, nor a NaN swallow it. */
export function recordable(value: number): number {
  return value > 0 && value < Infinity ? value : 0;
}

/** Sets what is known by looking and not by counting. */
export function set(numbers: Numbers, cell: number, value: number): void {
  numbers.values[cell] = value;
}

/** Sets all cells to zero, before they are counted anew. */
export function reset(numbers: Numbers): void {
  numbers.values.fill(0);
}

/** From here on a cell is told even at zero. */
export function show(numbers: Numbers, cell: number): void {
  numbers.shown[cell] = 1;
}

/** Adds to a cell of a counter or gauge. */
export function add(numbers: Numbers, cell: number, amount: number): void {
  numbers.values[cell] = (numbers.values[cell] as number) + amount;
}
