import type * as OtlpExporter from './otlp-exporter';
import type * as PrometheusExporter from './prometheus-exporter';

// What only some settings ask for: loaded while these are carried out, so that no other process starts later for it, and
// no request ever waits for it.

/* eslint-disable @typescript-eslint/no-require-imports -- an import would load them in any case */

/** With it come the serializers, the better part of what starting costs to load, node:https and node:zlib. */
export function loadOtlp(): typeof OtlpExporter {
  return require('./otlp-exporter') as typeof OtlpExporter;
}

export function loadPrometheus(): typeof PrometheusExporter {
  return require('./prometheus-exporter') as typeof PrometheusExporter;
}
