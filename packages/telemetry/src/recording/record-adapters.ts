import type { HookEvents } from '@curfew/context/spi';
import { trace, type Context as OtelContext } from '@opentelemetry/api';
import type { Exemplars } from '../figures/exemplars';
import { risingNow, type RisingClock } from '../figures/rising-clock';
import { add, recordable, type Histogram, type Store } from '../figures/store';
import { REASON } from '../registry/value-numbers';
import type { AdapterListeners } from './adapter-events';

export interface AdapterParts {
  readonly store: Store;
  readonly exemplars: Exemplars;
  readonly rising: RisingClock;
  /** Whether clean-ups are recorded. */
  readonly cleanups: boolean;
  onBrokenChain: HookEvents['chainBroken'];
}

type CoreEvents = Pick<HookEvents, 'chainBroken' | 'cancellationObserved' | 'callRefused' | 'errorGuarded'> &
  Partial<Pick<HookEvents, 'cleanupDone'>>;

/** Records what adapters tell, and what the core tells beside the lives of contexts and operations. */
export function recordAdapters(parts: AdapterParts): {
  readonly core: CoreEvents;
  readonly adapters: AdapterListeners;
} {
  const { store, exemplars, rising, cleanups, onBrokenChain } = parts;
  const { inbound, breaks, observed, rejections, guarded } = store.numbers;
  const { remaining: budgets, propagation, backendCancel, cleanup } = store.histograms;
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

  /** Records what took a number of milliseconds, with the span of `ctx` where exemplars are kept. */
  function took(histogram: Histogram, cell: number, ms: number, ctx: OtelContext | undefined): void {
    const seconds = recordable(ms / 1000);
    const bucket = histogram.record(cell, seconds);
    if (!exemplars.kept || ctx === undefined) return;
    const now = risingNow(rising);
    if (!exemplars.wants(histogram, bucket, now)) return;
    exemplars.take(histogram, bucket, { value: seconds, now, span: trace.getSpanContext(ctx) });
  }

  const core: CoreEvents = {
    chainBroken(event) {
      add(breaks, breakCauses.index(event.cause), 1);
      onBrokenChain(event);
    },
    cancellationObserved({ reason, origin }) {
      add(observed, observed.cell(reasonNumber(reason), origins.index(origin)), 1);
    },
    callRefused({ source }) {
      add(rejections, sources.index(source), 1);
    },
    errorGuarded() {
      add(guarded, 0, 1);
    },
  };
  if (cleanups) {
    core.cleanupDone = ({ outcome, duration, ctx }) =>
      took(cleanup, cleanupOutcomes.index(outcome), duration, ctx);
  }

  return {
    core,
    adapters: {
      'deadline.received': ({ source, outcome, remaining, ctx }) => {
        const from = sources.index(source);
        add(inbound, inbound.cell(from, arrivals.index(outcome)), 1);
        if (remaining !== undefined) took(budgets, from, remaining, ctx);
      },
      'cancellation.arrived': ({ boundary, reason, duration, ctx }) => {
        const cell = propagation.cell(reasonNumber(reason), boundaries.index(boundary));
        took(propagation, cell, duration, ctx);
      },
      'backend.cancel': ({ system, outcome, duration, ctx }) => {
        const cell = backendCancel.cell(systems.index(system), stops.index(outcome));
        took(backendCancel, cell, duration, ctx);
      },
    },
  };
}

/** Whatever a stranger tells, there are two reasons. */
function reasonNumber(reason: string): number {
  return REASON[reason === 'deadline_exceeded' ? reason : 'canceled'];
}
