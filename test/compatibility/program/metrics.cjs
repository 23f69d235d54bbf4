// A few contexts whose figures can be counted by hand, read in every way at once: OTLP, cumulative and delta, to the
// receiver at argv[2]; OpenTelemetry's Prometheus exporter and prom-client, over HTTP. The texts are printed.
'use strict';
const { once } = require('node:events');
const http = require('node:http');
const { AsyncLocalStorageContextManager } = require('@opentelemetry/context-async-hooks');
const { PrometheusExporter } = require('@opentelemetry/exporter-prometheus');
const { context } = require('@opentelemetry/api');
const { background, isDeadlineExceeded, scope, withCancel, withTimeout } = require('@curfew/context');
const { install } = require('@curfew/telemetry');
const { register } = require('@curfew/telemetry/prom-client');
const { Registry } = require('prom-client');
const { collectWarnings, otlpReader, startMetrics } = require('./line.cjs');
const { useManualClock } = require('./manual-clock.cjs');

const [, , url] = process.argv;

const clock = useManualClock();
const warnings = collectWarnings();
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
const telemetry = install({ orphanGrace: 1_000 });

const prometheus = new PrometheusExporter({
  preventServerStart: true,
  metricProducers: [telemetry.producer({ dialect: 'prometheus' })],
});
const registry = new Registry();
register(registry);
const { flush, shutdown } = startMetrics([
  otlpReader(url, { producers: [telemetry.producer()] }),
  otlpReader(url, { delta: true, producers: [telemetry.producer({ temporality: 'delta' })] }),
  prometheus,
]);

function complete() {
  const [, release] = withCancel(background(), { name: 'job' });
  clock.advance(20);
  release();
}

/** Three that complete, two canceled, one of them with two descendants, a deadline, an orphan, and one that lives on. */
function begin() {
  withCancel(background(), { name: 'live', longLived: true });
  for (let i = 0; i < 3; i++) complete();
  const [parent, cancel] = withCancel(background(), { name: 'search' });
  withCancel(withCancel(parent, { name: 'page' })[0], { name: 'page' });
  cancel('user left');
  withCancel(background(), { name: 'search' })[1](new Error('superseded'));
  withTimeout(background(), 50, { name: 'price' });
  let settle;
  const stubborn = scope(
    background(),
    { timeout: 50, name: 'legacy' },
    () => new Promise((f) => (settle = f)),
  );
  const settled = stubborn.catch((error) => {
    if (!isDeadlineExceeded(error)) throw error;
  });
  clock.advance(3_000);
  return () => {
    settle();
    return settled;
  };
}

async function scrapes(server) {
  const read = async (path) => (await fetch(`http://127.0.0.1:${server.address().port}/${path}`)).text();
  return { prometheus: await read('prometheus'), promClient: await read('prom-client') };
}

async function main() {
  const server = http.createServer(async (request, response) => {
    if (request.url === '/prometheus') prometheus.getMetricsRequestHandler(request, response);
    else response.end(await registry.metrics());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const rounds = [];
  const settle = begin();
  await flush();
  rounds.push(await scrapes(server));
  complete();
  await settle();
  await flush();
  rounds.push(await scrapes(server));
  server.close();
  server.closeAllConnections();
  await shutdown();
  process.stdout.write(JSON.stringify({ warnings, rounds }));
}

void main();
