import { DeadlinePropagator, type Plant } from '@curfew/propagation';
import type { TextMapPropagator } from '@opentelemetry/api';
import { CompositePropagator, W3CBaggagePropagator, W3CTraceContextPropagator } from '@opentelemetry/core';
import type { Settings } from './settings/settings';

/**
 * The propagators that `OTEL_PROPAGATORS` names, and Curfew's after them, whatever it names: without it a request
 * would have no context, and who is told a budget is for `CURFEW_OUTBOUND_HOSTS` to say.
 */
export function createPropagator({ propagators, maxTimeout }: Settings, plant: Plant): TextMapPropagator {
  const named = { tracecontext: W3CTraceContextPropagator, baggage: W3CBaggagePropagator } as const;
  return new CompositePropagator({
    propagators: [
      ...propagators.map((name) => new named[name]()),
      new DeadlinePropagator({ plant, maxTimeout }),
    ],
  });
}
