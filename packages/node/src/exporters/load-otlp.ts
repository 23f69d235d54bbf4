import type * as OtlpExporter from './otlp-exporter';

/** OTLP's serializers are the better part of what starting costs to load, and most processes on a desk need none. */
export function loadOtlp(): typeof OtlpExporter {
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- an import would load it in any case
  return require('./otlp-exporter') as typeof OtlpExporter;
}
