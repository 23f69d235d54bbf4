import { INSTRUMENTS, prometheusLabel, prometheusName, type InstrumentId } from '@curfew/telemetry';
import { sumOf, type Sample } from './exposition';
import { bucketsOf, quantile } from './quantile';

/** What the table shows of one service, all of it read from its /metrics. */
export interface Figures {
  readonly completed: number;
  readonly canceled: number;
  readonly deadlineExceeded: number;
  readonly live: number;
  /** Counts by `reason · origin`. */
  readonly cancellations: ReadonlyMap<string, number>;
  readonly fanout: number;
  readonly propagation: Spread;
  readonly settle: Spread;
  readonly orphansNow: number;
  readonly orphans: number;
  /** Seconds. */
  readonly wasted: number;
  readonly lingering: number;
  readonly breaks: number;
}

/** Seconds; `undefined` before the first observation. */
export interface Spread {
  readonly p50: number | undefined;
  readonly p99: number | undefined;
}

const OUTCOME = prometheusLabel('curfew.context.outcome');
const REASON = prometheusLabel('curfew.cancel.reason');
const ORIGIN = prometheusLabel('curfew.cancel.origin');

const nameOf = (id: InstrumentId) => prometheusName(INSTRUMENTS[id]);

/** Reads the figures out of a scrape. A family that has no series yet is a zero. */
export function figuresOf(samples: readonly Sample[]): Figures {
  const ended = (outcome: string) => sumOf(samples, nameOf('ended'), { [OUTCOME]: outcome });
  const spread = (id: InstrumentId): Spread => {
    const buckets = bucketsOf(samples, nameOf(id));
    return { p50: quantile(buckets, 0.5), p99: quantile(buckets, 0.99) };
  };
  return {
    completed: ended('completed'),
    canceled: ended('canceled'),
    deadlineExceeded: ended('deadline_exceeded'),
    live: sumOf(samples, nameOf('active')),
    cancellations: cancellationsOf(samples),
    fanout: sumOf(samples, `${nameOf('fanout')}_sum`),
    propagation: spread('propagation'),
    settle: spread('settle'),
    orphansNow: sumOf(samples, nameOf('orphansActive')),
    orphans: sumOf(samples, nameOf('orphans')),
    wasted: sumOf(samples, nameOf('orphanTime')),
    lingering: sumOf(samples, nameOf('lingering')),
    breaks: sumOf(samples, nameOf('breaks')),
  };
}

function cancellationsOf(samples: readonly Sample[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { name, labels, value } of samples) {
    if (name !== nameOf('cancellations') || value === 0) continue;
    const key = `${labels[REASON] ?? '?'} · ${labels[ORIGIN] ?? '?'}`;
    counts.set(key, (counts.get(key) ?? 0) + value);
  }
  return counts;
}
