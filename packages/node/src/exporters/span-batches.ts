import { TraceFlags } from '@opentelemetry/api';
import { BatchSpanProcessor, type SpanExporter, type SpanProcessor } from '@opentelemetry/sdk-trace-node';
import { outsideRequests } from './outside-requests';
import type { Settings } from '../settings/settings';

/**
 * OpenTelemetry's batches, armed outside of every request. The first span of a batch arms the timer, which would hold
 * the request of that span until it fires.
 */
export function createSpanBatches(exporter: SpanExporter, settings: Settings): SpanProcessor {
  let armed = false;
  const batches = new BatchSpanProcessor(
    {
      export(spans, done) {
        armed = false;
        exporter.export(spans, done);
      },
      forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
      shutdown: () => exporter.shutdown(),
    },
    {
      maxQueueSize: settings.spanQueue,
      maxExportBatchSize: Math.min(settings.spanBatch, settings.spanQueue),
      scheduledDelayMillis: settings.spanDelay,
      exportTimeoutMillis: settings.spanTimeout,
    },
  );
  return {
    onStart: () => undefined,
    onEnd(span) {
      if ((span.spanContext().traceFlags & TraceFlags.SAMPLED) === 0) return;
      if (armed) {
        batches.onEnd(span);
        return;
      }
      armed = true;
      outsideRequests(() => batches.onEnd(span));
    },
    forceFlush: () => batches.forceFlush(),
    shutdown: () => batches.shutdown(),
  };
}
