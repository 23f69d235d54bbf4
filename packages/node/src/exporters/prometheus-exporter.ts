import type { Telemetry } from '@curfew/telemetry';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import type { IMetricReader } from '@opentelemetry/sdk-metrics';
import type { Settings } from '../settings/settings';
import { servePrometheus, type PrometheusServer } from './prometheus-server';

/** A reader of what Prometheus scrapes, and the endpoint where it does. */
export function createPrometheus(
  { prometheusHost: host, prometheusPort: port }: Settings,
  telemetry: Telemetry,
): { readonly reader: IMetricReader; readonly server: PrometheusServer } {
  const reader = new PrometheusExporter({
    preventServerStart: true,
    metricProducers: [telemetry.producer({ dialect: 'prometheus' })],
  });
  return { reader, server: servePrometheus({ host, port, reader }) };
}
