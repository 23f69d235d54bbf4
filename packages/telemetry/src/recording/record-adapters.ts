import { type HookEvents } from '@curfew/context/spi';
import { trace, type Context as OtelContext } from '@opentelemetry/api';
import {
  BACKEND,
  BACKENDS,
  BOUNDARIES,
  BOUNDARY,
  BREAK,
  CLEANUP,
  INBOUND,
  INBOUNDS,
  ORIGIN,
  ORIGINS,
  REASON,
  SYSTEM,
} from '../registry/value-numbers';
import type { AdapterListeners } from './adapter-events';
import type { Exemplars } from '../figures/exemplars';
import type { Known } from '../figures/known';
import { steadyNow, type Steady } from '../figures/rising-clock';
import { add, recordable, type Histogram, type Store } from '../figures/store';

export interface AdapterParts {
  readonly store: Store;
  readonly exemplars: Exemplars;
  readonly known: Known;
  readonly steady: Steady;
  /** Whether clean-ups are recorded. */
  readonly cleanups: boolean;
  onBrokenChain: HookEvents['chainBroken'];
}

type CoreEvents = Pick<HookEvents, 'chainBroken' | 'cancellationObserved' | 'callRefused' | 'errorGuarded'> &
  Partial<Pick<HookEvents, 'cleanupDone'>>;

/** Records what adapters tell, and what the core tells beside the lives of contexts and operations. */
export function recordAdapters({ store, exemplars, known, steady, cleanups, onBrokenChain }: AdapterParts): {
  readonly core: CoreEvents;
  readonly adapters: AdapterListeners;
} {
  const { sources, numbers, histograms } = store;

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
      add(numbers.breaks, known(BREAK, event.cause, 'background'), 1);
      onBrokenChain(event);
    },

    cancellationObserved({ reason, origin }) {
      add(numbers.observed, known(REASON, reason, 'canceled') * ORIGINS + known(ORIGIN, origin, 'caller'), 1);
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
      record(histograms.cleanup, known(CLEANUP, outcome, 'failed'), duration, ctx);
  }

  return {
    core,
    adapters: {
      'deadline.received': ({ source, outcome, remaining, ctx }) => {
        const from = sources.index(source);
        add(numbers.inbound, from * INBOUNDS + known(INBOUND, outcome, 'malformed'), 1);
        if (remaining !== undefined) record(histograms.remaining, from, remaining, ctx);
      },

      'cancellation.arrived': ({ boundary, reason, duration, ctx }) => {
        const cell = known(REASON, reason, 'canceled') * BOUNDARIES + known(BOUNDARY, boundary, 'in_process');
        record(histograms.propagation, cell, duration, ctx);
      },

      'backend.cancel': ({ system, outcome, duration, ctx }) => {
        const database = Object.hasOwn(SYSTEM, system)
          ? SYSTEM[system as keyof typeof SYSTEM]
          : SYSTEM._OTHER;
        record(
          histograms.backendCancel,
          database * BACKENDS + known(BACKEND, outcome, 'failed'),
          duration,
          ctx,
        );
      },
    },
  };
}
