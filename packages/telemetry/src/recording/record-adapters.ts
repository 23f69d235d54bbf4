import type { HookEvents } from '@curfew/context/spi';
import { trace, type Context as OtelContext } from '@opentelemetry/api';
import { REASON } from '../registry/value-numbers';
import type { AdapterListeners } from './adapter-events';
import type { Exemplars } from '../figures/exemplars';
import { steadyNow, type Steady } from '../figures/rising-clock';
import { add, recordable, type Histogram, type Store } from '../figures/store';

export interface AdapterParts {
  readonly store: Store;
  readonly exemplars: Exemplars;
  readonly steady: Steady;
  /** Whether clean-ups are recorded. */
  readonly cleanups: boolean;
  onBrokenChain: HookEvents['chainBroken'];
}

type CoreEvents = Pick<HookEvents, 'chainBroken' | 'cancellationObserved' | 'callRefused' | 'errorGuarded'> &
  Partial<Pick<HookEvents, 'cleanupDone'>>;

/** Records what adapters tell, and what the core tells beside the lives of contexts and operations. */
export function recordAdapters({ store, exemplars, steady, cleanups, onBrokenChain }: AdapterParts): {
  readonly core: CoreEvents;
  readonly adapters: AdapterListeners;
} {
  const { numbers, histograms } = store;
  const {
    'curfew.source': sources,
    'curfew.cancel.origin': origins,
    'curfew.propagation.boundary': boundaries,
    'curfew.propagation.outcome': arrivals,
    'curfew.break.cause': breakCauses,
    'db.system.name': systems,
    'curfew.backend.cancel.outcome': stops,
    'curfew.cleanup.outcome': cleanupOutcomes,
  } = store.labels;
  // Whatever a stranger tells, there are two reasons.
  const reasonOf = (reason: string) => REASON[reason === 'deadline_exceeded' ? reason : 'canceled'];

  function record(histogram: Histogram, cell: number, ms: number, ctx: OtelContext | undefined): void {
    const seconds = ms / 1000;
    const bucket = histogram.record(cell, seconds);
    if (!exemplars.kept) return;
    const now = steadyNow(steady);
    if (!exemplars.wants(histogram, bucket, now)) return;
    const span = ctx === undefined ? undefined : trace.getSpanContext(ctx);
    exemplars.take(histogram, bucket, { value: recordable(seconds), now, span });
  }

  const core: CoreEvents = {
    chainBroken(event) {
      add(numbers.breaks, breakCauses.index(event.cause), 1);
      onBrokenChain(event);
    },

    cancellationObserved({ reason, origin }) {
      const { observed } = numbers;
      add(observed, observed.cell(reasonOf(reason), origins.index(origin)), 1);
    },

    callRefused({ source }) {
      add(numbers.rejections, sources.index(source), 1);
    },

    errorGuarded() {
      add(numbers.guarded, 0, 1);
    },
  };
  if (cleanups) {
    core.cleanupDone = ({ outcome, duration, ctx }) =>
      record(histograms.cleanup, cleanupOutcomes.index(outcome), duration, ctx);
  }

  return {
    core,
    adapters: {
      'deadline.received': ({ source, outcome, remaining, ctx }) => {
        const from = sources.index(source);
        add(numbers.inbound, numbers.inbound.cell(from, arrivals.index(outcome)), 1);
        if (remaining !== undefined) record(histograms.remaining, from, remaining, ctx);
      },

      'cancellation.arrived': ({ boundary, reason, duration, ctx }) => {
        const { propagation } = histograms;
        record(propagation, propagation.cell(reasonOf(reason), boundaries.index(boundary)), duration, ctx);
      },

      'backend.cancel': ({ system, outcome, duration, ctx }) => {
        const { backendCancel } = histograms;
        record(backendCancel, backendCancel.cell(systems.index(system), stops.index(outcome)), duration, ctx);
      },
    },
  };
}
