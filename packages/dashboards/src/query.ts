import {
  INSTRUMENTS,
  prometheusLabel,
  prometheusName,
  type AttributeKey,
  type InstrumentId,
} from '@curfew/telemetry';

/**
 * PromQL over the registry. Names of metrics and labels come from there, and a query that does not fit its
 * instrument does not compile: a rate of a gauge, a quantile of a counter, a label that the metric has not.
 */

type OfKind<K> = {
  [I in InstrumentId]: (typeof INSTRUMENTS)[I]['kind'] extends K ? I : never;
}[InstrumentId];

export type CounterId = OfKind<'counter'>;
export type GaugeId = OfKind<'gauge'>;
export type HistogramId = OfKind<'histogram'>;

/** What one series can be told from another by: the instrument's attributes, and where it was scraped. */
export type Label<I extends InstrumentId> =
  (typeof INSTRUMENTS)[I]['attributes'][number] | 'job' | 'instance';

export type Where<I extends InstrumentId> = Partial<Record<Label<I>, string>>;

export interface Selection<I extends InstrumentId> {
  readonly by?: readonly Label<I>[];
  /** Values that a label has; `!` before a value negates it. */
  readonly where?: Where<I>;
}

/** The window of a rate: wide enough for the step that the panel's width leads to. */
const WINDOW = '[$__rate_interval]';

export const labelName = (label: string): string =>
  label === 'job' || label === 'instance' ? label : prometheusLabel(label as AttributeKey);

/** Shows a label in a legend. */
export const legendOf = (...labels: (AttributeKey | 'job' | 'instance')[]): string =>
  labels.map((label) => `{{${labelName(label)}}}`).join(' ');

/** The series of an instrument in the chosen jobs and instances. */
export function series<I extends InstrumentId>(id: I, where: Where<I> = {}, suffix = ''): string {
  const chosen = Object.entries<string | undefined>(where).map(([label, value = '']) =>
    value.startsWith('!') ? `${labelName(label)}!="${value.slice(1)}"` : `${labelName(label)}="${value}"`,
  );
  const matchers = ['job=~"$job"', 'instance=~"$instance"', ...chosen].join(',');
  return `${prometheusName(INSTRUMENTS[id])}${suffix}{${matchers}}`;
}

/** How many a second. */
export function rate<I extends CounterId>(id: I, selection: Selection<I> = {}): string {
  return sum(selection.by, `rate(${series(id, selection.where)}${WINDOW})`);
}

/** How many in the time that the dashboard shows. */
export function total<I extends CounterId>(id: I, selection: Selection<I> = {}): string {
  return sum(selection.by, `increase(${series(id, selection.where)}[$__range])`);
}

/** One rate as a share of another; nothing where there is nothing to share. */
export const share = (part: string, whole: string): string => `${part} / (${whole} > 0)`;

export function current<I extends GaugeId>(id: I, selection: Selection<I> = {}): string {
  return sum(selection.by, series(id, selection.where));
}

export function highest<I extends GaugeId>(id: I, selection: Selection<I> = {}): string {
  return `max${grouping(selection.by)} (${series(id, selection.where)})`;
}

export function quantile<I extends HistogramId>(q: number, id: I, selection: Selection<I> = {}): string {
  const buckets = `rate(${series(id, selection.where, '_bucket')}${WINDOW})`;
  return `histogram_quantile(${q}, sum by (${['le', ...(selection.by ?? []).map(labelName)].join(', ')}) (${buckets}))`;
}

/** How many observations a second fell into each bucket. */
export function buckets<I extends HistogramId>(id: I, where: Where<I> = {}): string {
  return `sum by (le) (increase(${series(id, where, '_bucket')}${WINDOW}))`;
}

/** How many observations there were a second. */
export function observations<I extends HistogramId>(id: I, selection: Selection<I> = {}): string {
  return sum(selection.by, `rate(${series(id, selection.where, '_count')}${WINDOW})`);
}

function sum(by: readonly string[] | undefined, expression: string): string {
  return `sum${grouping(by)} (${expression})`;
}

function grouping(by: readonly string[] | undefined): string {
  return by === undefined || by.length === 0 ? '' : ` by (${by.map(labelName).join(', ')})`;
}
