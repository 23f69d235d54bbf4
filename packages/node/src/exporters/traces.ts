import type { Telemetry } from '@curfew/telemetry';
import type { Resource } from '@opentelemetry/resources';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  ConsoleSpanExporter,
  NodeTracerProvider,
  ParentBasedSampler,
  SimpleSpanProcessor,
  TraceIdRatioBasedSampler,
  type Sampler,
  type SpanProcessor,
} from '@opentelemetry/sdk-trace-node';
import type { Configuration } from '../settings/options';
import { loadOtlp } from './on-demand';
import type { Transport } from './otlp-transport';

export interface Traces {
  readonly provider: NodeTracerProvider;
  readonly transports: readonly Transport[];
}

/** A tracer provider that tells Curfew of every span, and exports them where the configuration says. */
export function createTraces(configuration: Configuration, resource: Resource, telemetry: Telemetry): Traces {
  // First, so that what it writes on a span is there for whoever comes after.
  const processors: SpanProcessor[] = [telemetry.spanProcessor, ...configuration.spanProcessors];
  const transports: Transport[] = [];
  for (const name of configuration.traces ??
    (configuration.otlp.traces.endpoint === undefined ? [] : ['otlp'])) {
    if (name === 'console') {
      processors.push(new SimpleSpanProcessor(new ConsoleSpanExporter()));
    } else {
      const { createOtlpTraces, createSpanBatches } = loadOtlp();
      const { exporter, transport } = createOtlpTraces(configuration);
      transports.push(transport);
      processors.push(createSpanBatches(exporter, configuration));
    }
  }
  const provider = new NodeTracerProvider({
    resource,
    sampler: createSampler(configuration),
    spanProcessors: processors,
    spanLimits: {
      attributeCountLimit: configuration.spanAttributeCount ?? configuration.attributeCount,
      attributeValueLengthLimit:
        configuration.spanAttributeLength ?? configuration.attributeLength ?? Infinity,
      eventCountLimit: configuration.spanEvents,
      linkCountLimit: configuration.spanLinks,
      attributePerEventCountLimit: configuration.eventAttributes,
      attributePerLinkCountLimit: configuration.linkAttributes,
    },
  });
  return { provider, transports };
}

/**
 * The sampler that `OTEL_TRACES_SAMPLER` names. The provider would read the variable itself, but to the letter:
 * `ALWAYS_OFF`, or a blank behind it, then records every trace.
 */
function createSampler({ sampler, samplerRatio }: Configuration): Sampler {
  const root = sampler.endsWith('always_on')
    ? new AlwaysOnSampler()
    : sampler.endsWith('always_off')
      ? new AlwaysOffSampler()
      : new TraceIdRatioBasedSampler(samplerRatio);
  return sampler.startsWith('parentbased_') ? new ParentBasedSampler({ root }) : root;
}
