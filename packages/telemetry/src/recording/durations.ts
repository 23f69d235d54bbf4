import type { SpanContext } from '@opentelemetry/api';
import type { Exemplars } from '../figures/exemplars';
import { risingNow, type RisingClock } from '../figures/rising-clock';
import { recordable, type Histogram, type Store } from '../figures/store';
import { REASON } from '../registry/value-numbers';

/** Asked only where an exemplar is wanted: finding a span costs more than recording. */
export type FindSpan = () => SpanContext | undefined;

/** Whatever a stranger tells, there are two reasons. */
export function reasonNumber(reason: string): number {
  return REASON[reason === 'deadline_exceeded' ? reason : 'canceled'];
}

/** Records what took a number of milliseconds, with an exemplar where they are kept. */
export interface Durations {
  record(histogram: Histogram, cell: number, ms: number, span: FindSpan): void;
  /** The news of a cancellation came past a boundary, such as `in_process` or one of an adapter's own. */
  propagation(reason: string, boundary: string, ms: number, span: FindSpan): void;
}

export function createDurations(store: Store, exemplars: Exemplars, rising: RisingClock): Durations {
  const { propagation } = store.histograms;
  const boundaries = store.labels['curfew.propagation.boundary'];

  function record(histogram: Histogram, cell: number, ms: number, span: FindSpan): void {
    const seconds = ms / 1000;
    const bucket = histogram.record(cell, seconds);
    if (!exemplars.kept) return;
    const now = risingNow(rising);
    if (!exemplars.wants(histogram, bucket, now)) return;
    exemplars.take(histogram, bucket, { value: recordable(seconds), now, span: span() });
  }

  return {
    record,
    propagation(reason, boundary, ms, span) {
      record(propagation, propagation.cell(reasonNumber(reason), boundaries.index(boundary)), ms, span);
    },
  };
}
