import type { ContextNode, HookEvents } from '@curfew/context/spi';
import type { Exemplars } from '../figures/exemplars';
import { nameOf, rowOf, startOf, type OpenContexts } from '../figures/open-contexts';
import { risingNow, type RisingClock } from '../figures/rising-clock';
import { add, recordable, type Store } from '../figures/store';
import type { RunningWork } from '../operations/running';
import { OUTCOME } from '../registry/value-numbers';
import { spanOfContext } from '../spans/curfew-spans';
import { reading, type ContextRows } from './context-rows';
import type { Cancellations } from './record-cancellations';

export interface ContextParts {
  readonly store: Store;
  readonly open: OpenContexts;
  readonly rows: ContextRows;
  readonly running: RunningWork;
  readonly cancellations: Cancellations;
  readonly exemplars: Exemplars;
  readonly rising: RisingClock;
  readonly durationByName: boolean;
}

/** Records the lives of contexts. In a life without a cancellation the store is updated twice. */
export function recordContexts(
  parts: ContextParts,
): Pick<HookEvents, 'contextStarted' | 'contextEnded' | 'cancellationDelivered'> {
  const { store, open, rows, running, cancellations, exemplars, rising, durationByName } = parts;
  const { ended } = store.numbers;
  const { duration } = store.histograms;

  function recordEnd(node: ContextNode, row: number, outcome: number, now: number): number {
    // Derived before telemetry was installed: its end still counts, or the sums would not agree.
    const name = row < 0 ? rows.nameNumber(node.name) : nameOf(open, row);
    add(ended, ended.cell(name, outcome), 1);
    if (row < 0) return name;
    const seconds = recordable((now - startOf(open, row)) / 1000);
    const bucket = duration.record(durationByName ? duration.cell(name, outcome) : outcome, seconds);
    if (exemplars.kept) exemplify(node, row, { bucket, seconds, now });
    return name;
  }

  /** Apart from `recordEnd`, to keep that small enough to be inlined. */
  function exemplify(
    node: ContextNode,
    row: number,
    at: { bucket: number; seconds: number; now: number },
  ): void {
    if (!exemplars.wants(duration, at.bucket, at.now)) return;
    const span = spanOfContext(node, running.firstSpan(row, node)?.spanContext);
    exemplars.take(duration, at.bucket, { value: at.seconds, now: at.now, span });
  }

  return {
    contextStarted: ({ node, now }) => rows.take(node, now),

    contextEnded({ node, ending, now }) {
      const { outcome } = ending;
      const row = rowOf(open, node);
      if (outcome === 'completed') {
        recordEnd(node, row, OUTCOME.completed, reading(now));
        if (ending.node !== undefined) cancellations.excuse(node, row, ending);
      } else {
        const name = recordEnd(node, row, OUTCOME[outcome], risingNow(rising, ending.markedAt));
        cancellations.ended(node, row, ending, name);
      }
      rows.free(row, node);
    },

    cancellationDelivered: cancellations.delivered,
  };
}
