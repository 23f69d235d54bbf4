import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Telemetry } from '@curfew/telemetry';
import { register } from '@curfew/telemetry/prom-client';
import { ExportResultCode } from '@opentelemetry/core';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { ProtobufMetricsSerializer } from '@opentelemetry/otlp-transformer';
import {
  AggregationTemporality,
  MeterProvider,
  PeriodicExportingMetricReader,
  type PushMetricExporter,
} from '@opentelemetry/sdk-metrics';
import { Registry, type OpenMetricsContentType, type PrometheusContentType } from 'prom-client';
import { readMetrics, type OtlpMetric } from './otlp-bytes';
import { bucketKey, type Samples } from './tally';
import { labelsKey, readExposition } from './text';

/** A way out of the process, read at its far end. */
export interface Exit {
  read(): Promise<Samples>;
  close(): Promise<void>;
}

const NEVER = 2 ** 31 - 1;

/** OTLP over HTTP, pushed by OpenTelemetry's reader; deltas are added up, as a backend does. */
export async function openOtlp(telemetry: Telemetry, temporality: 'cumulative' | 'delta'): Promise<Exit> {
  let received: readonly OtlpMetric[] = [];
  const server = createServer((request, response) => {
    void bodyOf(request).then((body) => {
      received = readMetrics(body);
      response.end();
    });
  });
  const url = await listening(server);
  const reader = new PeriodicExportingMetricReader({
    exporter: otlpExporter(url),
    exportIntervalMillis: NEVER,
    exportTimeoutMillis: 10_000,
    metricProducers: [telemetry.producer({ temporality })],
  });
  const provider = new MeterProvider({ readers: [reader] });
  const totals = new Map<string, number>();
  return {
    async read() {
      await reader.forceFlush();
      addUp(totals, received, temporality);
      return new Map(totals);
    },
    async close() {
      await provider.shutdown();
      await closing(server);
    },
  };
}

/** What every OTLP exporter of OpenTelemetry is: the serializer and a POST. */
function otlpExporter(url: string): PushMetricExporter {
  return {
    export(metrics, done) {
      const body = ProtobufMetricsSerializer.serializeRequest(metrics);
      const headers = { 'content-type': 'application/x-protobuf' };
      fetch(`${url}/v1/metrics`, { method: 'POST', body: body ?? null, headers }).then(
        ({ ok }) => done({ code: ok ? ExportResultCode.SUCCESS : ExportResultCode.FAILED }),
        (error: Error) => done({ code: ExportResultCode.FAILED, error }),
      );
    },
    selectAggregationTemporality: () => AggregationTemporality.CUMULATIVE,
    forceFlush: () => Promise.resolve(),
    shutdown: () => Promise.resolve(),
  };
}

/** Takes an export over: what is cumulative replaces what was told before, what is a delta is added to it. */
function addUp(
  totals: Map<string, number>,
  metrics: readonly OtlpMetric[],
  expected: 'cumulative' | 'delta',
): void {
  for (const { name, kind, temporality, points } of metrics) {
    if (kind !== 'gauge' && temporality !== { delta: 1, cumulative: 2 }[expected]) {
      throw new Error(`${name} is of temporality ${temporality}`);
    }
    const adds = kind !== 'gauge' && expected === 'delta';
    const put = (key: string, value: number) =>
      totals.set(key, adds ? (totals.get(key) ?? 0) + value : value);
    for (const { attributes, value, count, sum, buckets, bounds } of points) {
      const key = labelsKey(attributes);
      if (kind !== 'histogram') {
        put(`${name}{${key}}`, value);
        continue;
      }
      put(`${name}_count{${key}}`, count);
      put(`${name}_sum{${key}}`, sum);
      let below = 0;
      buckets.forEach((more, index) => put(bucketKey(name, key, bounds[index] ?? Infinity), (below += more)));
    }
  }
}

/** `/metrics` of OpenTelemetry's Prometheus exporter, as a Prometheus server scrapes it. */
export async function openPrometheus(telemetry: Telemetry): Promise<Exit> {
  const port = await freePort();
  const exporter = new PrometheusExporter({
    host: '127.0.0.1',
    port,
    preventServerStart: true,
    metricProducers: [telemetry.producer({ dialect: 'prometheus' })],
  });
  await exporter.startServer();
  const provider = new MeterProvider({ readers: [exporter] });
  return {
    async read() {
      const response = await fetch(`http://127.0.0.1:${port}/metrics`, { headers: { connection: 'close' } });
      if (!response.ok) throw new Error(`/metrics answered ${response.status}`);
      return readExposition(await response.text());
    },
    close: () => provider.shutdown(),
  };
}

/** The text of a user's own registry of prom-client. */
export function openPromClient(telemetry: Telemetry, format: 'plain' | 'OpenMetrics'): Exit {
  const registry = new Registry<PrometheusContentType | OpenMetricsContentType>();
  if (format === 'OpenMetrics') registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
  const unregister = register(registry, { telemetry });
  return {
    read: async () => readExposition(await registry.metrics()),
    close: () => Promise.resolve(unregister()),
  };
}

/** The exporter takes no port 0. */
async function freePort(): Promise<number> {
  const server = createServer();
  await listening(server);
  const { port } = server.address() as AddressInfo;
  await closing(server);
  return port;
}

async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function closing(server: Server): Promise<void> {
  await new Promise((resolve) => {
    server.close(resolve);
    server.closeAllConnections();
  });
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
