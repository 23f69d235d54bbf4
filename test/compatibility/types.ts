// Compiled against each line of the SDK: what Curfew hands over is what that line asks for, without a cast.
import { install } from '@curfew/telemetry';
import { MeterProvider, type MetricProducer, type MetricReader } from '@opentelemetry/sdk-metrics';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { TracerProvider, type SpanProcessor } from '@opentelemetry/sdk-trace';

const telemetry = install();

export const spanProcessor: SpanProcessor = telemetry.spanProcessor;
export const producer: MetricProducer = telemetry.producer({ temporality: 'delta' });
export const reader: MetricReader = new PrometheusExporter({ metricProducers: [producer] });
export const traces = new TracerProvider({ spanProcessors: [telemetry.spanProcessor] });
export const meters = new MeterProvider({ readers: [reader] });
