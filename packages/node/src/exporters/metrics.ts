import type { Telemetry } from '@curfew/telemetry';
import type { Resource } from '@opentelemetry/resources';
import {
  ConsoleMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
  type IMetricReader,
  type PushMetricExporter,
} from '@opentelemetry/sdk-metrics';
import { defaultMetrics, type Configuration } from '../settings/options';
import { loadOtlp, loadPrometheus } from './on-demand';
import type { Transport } from './otlp-transport';
import type { PrometheusServer } from './prometheus-server';

export interface Metrics {
  readonly provider: MeterProvider;
  readonly server: PrometheusServer | undefined;
  readonly transports: readonly Transport[];
}

export interface MetricsParts {
  readonly configuration: Configuration;
  readonly resource: Resource;
  readonly telemetry: Telemetry;
  /** `false` where another thread of this process has the endpoint. */
  readonly mayServe: boolean;
}

/** One meter provider with a reader for each exporter, each of which also reads Curfew's own families. */
export function createMetrics({ configuration, resource, telemetry, mayServe }: MetricsParts): Metrics {
  const readers: IMetricReader[] = [...configuration.metricReaders];
  const transports: Transport[] = [];
  let server: PrometheusServer | undefined;
  for (const name of configuration.metrics ?? defaultMetrics(configuration)) {
    if (name === 'otlp') {
      const { exporter, transport } = loadOtlp().createOtlpMetrics(configuration);
      transports.push(transport);
      readers.push(periodic(exporter, configuration, telemetry));
    } else if (name === 'console') {
      readers.push(periodic(new ConsoleMetricExporter(), configuration, telemetry));
    } else if (mayServe) {
      const prometheus = loadPrometheus().createPrometheus(configuration, telemetry);
      readers.push(prometheus.reader);
      server = prometheus.server;
    }
  }
  return { provider: new MeterProvider({ resource, readers }), server, transports };
}

function periodic(
  exporter: PushMetricExporter,
  configuration: Configuration,
  telemetry: Telemetry,
): IMetricReader {
  const { metricInterval, metricTimeout, temporality } = configuration;
  return new PeriodicExportingMetricReader({
    exporter,
    exportIntervalMillis: metricInterval,
    exportTimeoutMillis: Math.min(metricTimeout, metricInterval),
    metricProducers: [
      telemetry.producer({ temporality: temporality === 'cumulative' ? 'cumulative' : 'delta' }),
    ],
  });
}
