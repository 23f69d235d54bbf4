// The SDK of whichever line is installed beside this file, set up as a service of that line does it.
'use strict';
const { request } = require('node:http');
const { context, diag, DiagLogLevel, metrics, propagation, trace } = require('@opentelemetry/api');
const { CompositePropagator, W3CTraceContextPropagator } = require('@opentelemetry/core');

function optional(name) {
  try {
    return require(name);
  } catch (error) {
    if (error.code !== 'MODULE_NOT_FOUND') throw error;
    return undefined;
  }
}

/** Keeps what OpenTelemetry complains about. */
exports.collectWarnings = function collectWarnings() {
  const warnings = [];
  const warn = (...args) => void warnings.push(args.map(String).join(' '));
  const nothing = () => undefined;
  diag.setLogger({ error: warn, warn, info: nothing, debug: nothing, verbose: nothing }, DiagLogLevel.WARN);
  return warnings;
};

/** Registers tracing that exports to an OTLP receiver; returns how to send what is left. */
exports.startTracing = function startTracing(url, { processors, propagators }) {
  const { BatchSpanProcessor, TracerProvider } = require('@opentelemetry/sdk-trace');
  const exporter = createExporter('trace', `${url}/v1/traces`);
  const propagator = new CompositePropagator({
    propagators: [new W3CTraceContextPropagator(), ...propagators],
  });
  const { NodeTracerProvider } = optional('@opentelemetry/sdk-trace-node') ?? {};
  const spanProcessors = [...processors, new BatchSpanProcessor({ exporter })];
  if (NodeTracerProvider !== undefined) {
    const provider = new NodeTracerProvider({ spanProcessors });
    provider.register({ propagator });
    return () => provider.shutdown();
  }
  const { AsyncLocalStorageContextManager } = require('@opentelemetry/context-async-hooks');
  const provider = new TracerProvider({ spanProcessors });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(propagator);
  trace.setGlobalTracerProvider(provider);
  return () => provider.shutdown();
};

/** Registers metrics; returns how to export them now, and how to end. */
exports.startMetrics = function startMetrics(readers) {
  const { MeterProvider } = require('@opentelemetry/sdk-metrics');
  const provider = new MeterProvider({ readers });
  metrics.setGlobalMeterProvider(provider);
  return { flush: () => provider.forceFlush(), shutdown: () => provider.shutdown() };
};

/** A reader that pushes OTLP, with the metrics of `producers` too. */
exports.otlpReader = function otlpReader(url, { delta = false, producers = [] }) {
  const { AggregationTemporality, PeriodicExportingMetricReader } = require('@opentelemetry/sdk-metrics');
  const temporality = delta ? AggregationTemporality.DELTA : AggregationTemporality.CUMULATIVE;
  const exporter = createExporter('metrics', `${url}/v1/metrics`, temporality);
  return new PeriodicExportingMetricReader({
    exporter,
    exportIntervalMillis: 3_600_000,
    exportTimeoutMillis: 10_000,
    metricProducers: producers,
  });
};

/** OpenTelemetry's own OTLP exporter where it is installed, else its own serializer and a plain request. */
function createExporter(signal, url, temporality) {
  const module = optional(`@opentelemetry/exporter-${signal}-otlp-http`);
  if (module !== undefined) {
    const Exporter = module.OTLPTraceExporter ?? module.OTLPMetricExporter;
    return new Exporter({ url, temporalityPreference: temporality });
  }
  const { JsonMetricsSerializer, JsonTraceSerializer } = require('@opentelemetry/otlp-transformer');
  const serializer = signal === 'trace' ? JsonTraceSerializer : JsonMetricsSerializer;
  return {
    export(items, done) {
      const headers = { 'content-type': 'application/json' };
      const sent = request(url, { method: 'POST', headers }, (response) => {
        response.resume();
        response.once('end', () => done({ code: response.statusCode === 200 ? 0 : 1 }));
      });
      sent.once('error', (error) => done({ code: 1, error }));
      sent.end(serializer.serializeRequest(items));
    },
    selectAggregationTemporality: () => temporality,
    forceFlush: () => Promise.resolve(),
    shutdown: () => Promise.resolve(),
  };
}
