import { install, type Snapshot, type Telemetry, type TelemetryOptions } from '@curfew/telemetry';
import { context, trace, type Tracer } from '@opentelemetry/api';
import {
  InMemorySpanExporter,
  NodeTracerProvider,
  SimpleSpanProcessor,
  type ReadableSpan,
  type Sampler,
  type SpanProcessor,
} from '@opentelemetry/sdk-trace-node';
import { useManualClock, type ManualClock } from '../../../test/manual-clock';

/** A process under telemetry, with a manual clock and the real SDK. */
export interface Observed {
  readonly clock: ManualClock;
  readonly telemetry: Telemetry;
  readonly tracer: Tracer;
  readonly provider: NodeTracerProvider;
  /** All spans that were exported so far. */
  finished(): ReadableSpan[];
  /** Those of a name. */
  exported(name: string): ReadableSpan[];
  /** The only one of its name. */
  only(name: string): ReadableSpan;
  /** What telemetry and its listeners threw since it began. */
  errors(): number;
  stop(): Promise<void>;
}

export interface ObserveOptions {
  readonly telemetry?: TelemetryOptions;
  readonly sampler?: Sampler;
  /** Beside telemetry's own and the exporter's, which come before and after. */
  readonly processors?: readonly SpanProcessor[];
}

export function observe({ telemetry: options, sampler, processors = [] }: ObserveOptions = {}): Observed {
  const { clock, restore } = useManualClock();
  const telemetry = install(options);
  const exporter = new InMemorySpanExporter();
  const provider = new NodeTracerProvider({
    spanProcessors: [telemetry.spanProcessor, ...processors, new SimpleSpanProcessor(exporter)],
    ...(sampler === undefined ? {} : { sampler }),
  });
  provider.register();
  const errorsBefore = figure(telemetry, 'curfew.sdk.hook.errors');
  const exported = (name: string) => exporter.getFinishedSpans().filter((span) => span.name === name);
  return {
    clock,
    telemetry,
    tracer: trace.getTracer('test'),
    provider,
    finished: () => exporter.getFinishedSpans(),
    exported,
    errors: () => figure(telemetry, 'curfew.sdk.hook.errors') - errorsBefore,
    only(name) {
      const spans = exported(name);
      if (spans.length !== 1) throw new Error(`${spans.length} spans are called ${name}`);
      return spans[0] as ReadableSpan;
    },
    async stop() {
      telemetry.uninstall();
      // What a user's exporter has to say to that is no concern of ours.
      await provider.shutdown().catch(() => undefined);
      trace.disable();
      context.disable();
      restore();
    },
  };
}

/** The sum of a family's series that have these attribute values; of a histogram, how many values it recorded. */
export function figure(telemetry: Telemetry, name: string, attributes: Record<string, string> = {}): number {
  let sum = 0;
  for (const point of telemetry.snapshot().get(name)?.points ?? []) {
    if (Object.entries(attributes).some(([key, value]) => point.attributes[key] !== value)) continue;
    sum += 'value' in point ? point.value : point.count;
  }
  return sum;
}

/** Figures that may rise and never fall: counters, and all of a histogram, by what they are called. */
export function risingFigures(snapshot: Snapshot): Map<string, number> {
  const figures = new Map<string, number>();
  for (const { instrument, points } of snapshot.values()) {
    if (instrument.kind === 'gauge') continue;
    for (const point of points) {
      const series = `${instrument.name} ${JSON.stringify(point.attributes)}`;
      if ('value' in point) figures.set(series, point.value);
      else {
        figures.set(`${series} count`, point.count);
        figures.set(`${series} sum`, point.sum);
        point.counts.forEach((count, bucket) => figures.set(`${series} bucket ${bucket}`, count));
      }
    }
  }
  return figures;
}
