import type { HookEvents } from '@curfew/context/spi';
import { trace, type Context as OtelContext } from '@opentelemetry/api';
import { add, type Store } from '../figures/store';
import type { AdapterListeners } from './adapter-events';
import { reasonNumber, type Durations } from './durations';

export interface AdapterParts {
  readonly store: Store;
  readonly durations: Durations;
  /** Whether clean-ups are recorded. */
  readonly cleanups: boolean;
  onBrokenChain: HookEvents['chainBroken'];
}

type CoreEvents = Pick<HookEvents, 'chainBroken' | 'cancellationObserved' | 'callRefused' | 'errorGuarded'> &
  Partial<Pick<HookEvents, 'cleanupDone'>>;

/** Records what adapters tell, and what the core tells beside the lives of contexts and operations. */
export function recordAdapters({ store, durations, cleanups, onBrokenChain }: AdapterParts): {
  readonly core: CoreEvents;
  readonly adapters: AdapterListeners;
} {
  const { inbound, breaks, observed, rejections, guarded } = store.numbers;
  const { remaining: budgets, backendCancel, cleanup } = store.histograms;
  const {
    'curfew.source': sources,
    'curfew.cancel.origin': origins,
    'curfew.propagation.outcome': arrivals,
    'curfew.break.cause': breakCauses,
    'db.system.name': systems,
    'curfew.backend.cancel.outcome': stops,
    'curfew.cleanup.outcome': cleanupOutcomes,
  } = store.labels;

  const spanOf = (ctx: OtelContext | undefined) => () => ctx && trace.getSpanContext(ctx);

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
      durations.record(cleanup, cleanupOutcomes.index(outcome), duration, spanOf(ctx));
  }

  return {
    core,
    adapters: {
      'deadline.received': ({ source, outcome, remaining, ctx }) => {
        const from = sources.index(source);
        add(inbound, inbound.cell(from, arrivals.index(outcome)), 1);
        if (remaining !== undefined) durations.record(budgets, from, remaining, spanOf(ctx));
      },
      'cancellation.arrived': ({ boundary, reason, duration, ctx }) =>
        durations.propagation(reason, boundary, duration, spanOf(ctx)),
      'backend.cancel': ({ system, outcome, duration, ctx }) => {
        const cell = backendCancel.cell(systems.index(system), stops.index(outcome));
        durations.record(backendCancel, cell, duration, spanOf(ctx));
      },
    },
  };
}
