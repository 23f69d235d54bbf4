import { TraceFlags, type SpanContext } from '@opentelemetry/api';
import { clock } from '../core';
import type { Histogram, Numbers } from './store';

/** One measurement of a series with the span that it was made under: the way from a figure to a trace. */
export interface Exemplar {
  readonly traceId: string;
  readonly spanId: string;
  /** In the instrument's unit. */
  readonly value: number;
  /** Epoch milliseconds. */
  readonly at: number;
}

/**
 * The latest measurement of each series with the span that it was made under. Nothing is kept until a way out asks
 * for it that can carry exemplars, and then one a second for each bucket at most: a scrape shows no more.
 */
export interface Exemplars {
  /** Whether any are kept. A plain field, as everything that ends asks. */
  kept: boolean;
  /** Whether a measurement at `now` (monotonic ms) would be taken: ask first, finding the span costs more. */
  wants(series: Numbers | Histogram, index: number, now: number): boolean;
  /** Takes one, if its span is sampled: one that is not leads nowhere. */
  take(
    series: Numbers | Histogram,
    index: number,
    measurement: { value: number; now: number; span: SpanContext | undefined },
  ): void;
  /** The exemplar of a counter's cell or of a histogram's bucket. */
  of(series: Numbers | Histogram, index: number): Exemplar | undefined;
}

/** Milliseconds. */
const FRESH_FOR = 1000;

interface Taken extends Exemplar {
  readonly takenAt: number;
}

export function createExemplars(): Exemplars {
  const taken = new Map<Numbers | Histogram, (Taken | undefined)[]>();
  return {
    kept: false,
    wants(series, index, now) {
      if (!this.kept) return false;
      const former = taken.get(series)?.[index];
      return former === undefined || !(now - former.takenAt < FRESH_FOR);
    },
    take(series, index, { value, now, span }) {
      if (span === undefined || (span.traceFlags & TraceFlags.SAMPLED) === 0) return;
      let latest = taken.get(series);
      if (latest === undefined) taken.set(series, (latest = []));
      const { traceId, spanId } = span;
      latest[index] = { traceId, spanId, value, at: clock().wallNow(), takenAt: now };
    },
    of: (series, index) => taken.get(series)?.[index],
  };
}
