// What recording, keeping and reading figures costs: an update of the store beside a bare addition and beside
// OpenTelemetry's own instruments; bytes of a live context; reading 1,000 series. usage: node --expose-gc
// test/bench/telemetry-store.mjs
import { createRequire } from 'node:module';
import { cpus } from 'node:os';
import { background, run, withCancel } from '@curfew/context';
import { install } from '@curfew/telemetry';
import { register } from '@curfew/telemetry/prom-client';

const require = createRequire(import.meta.url);
const { MeterProvider } = require('@opentelemetry/sdk-metrics');
const { PrometheusExporter, PrometheusSerializer } = require('@opentelemetry/exporter-prometheus');
const { ProtobufMetricsSerializer } = require('@opentelemetry/otlp-transformer');
const { Registry } = require('prom-client');
const { add, createStore } = require('../../packages/telemetry/dist/figures/store.js');

const sorted = (list) => [...list].sort((a, b) => a - b);
const median = (list) => sorted(list)[list.length >> 1];

console.log(`Node ${process.version}, ${cpus()[0].model}, ${new Date().toISOString().slice(0, 10)}\n`);

function updates() {
  const COUNT = 200_000;
  const store = createStore({ maxNames: 50, maxKinds: 10, durationByName: false, version: '0' });
  const cells = new Float64Array(1024);
  // Without a reader nothing would be recorded.
  const reader = new PrometheusExporter({ preventServerStart: true });
  const meter = new MeterProvider({ readers: [reader] }).getMeter('bench');
  const counter = meter.createCounter('counter');
  const histogram = meter.createHistogram('histogram', {
    advice: { explicitBucketBoundaries: [...store.histograms.duration.boundaries] },
  });
  const attributes = { 'curfew.context.name': 'bench', 'curfew.context.outcome': 'completed' };
  const rows = {
    'floor: one addition to a typed array': (index) => (cells[index & 1023] += 1),
    'counter of the store': (index) => add(store.numbers.ended, index % 150, 1),
    'histogram of the store, first bucket': (index) => store.histograms.duration.record(index % 3, 0.0005),
    'histogram of the store, tenth bucket': (index) => store.histograms.duration.record(index % 3, 3),
    'counter of OpenTelemetry, two attributes': () => counter.add(1, attributes),
    'histogram of OpenTelemetry, two attributes': () => histogram.record(0.0005, attributes),
  };
  const figures = new Map(Object.keys(rows).map((name) => [name, []]));
  for (let round = 0; round < 15; round++) {
    for (const [name, update] of Object.entries(rows)) {
      const from = process.hrtime.bigint();
      for (let index = 0; index < COUNT; index++) update(index);
      // The first rounds warm up.
      if (round >= 4) figures.get(name).push(Number(process.hrtime.bigint() - from) / COUNT);
    }
  }
  console.log('| an update | ns, median of 11 |\n|---|---|');
  for (const [name, list] of figures) console.log(`| ${name} | ${median(list).toFixed(1)} |`);
}

function bytes() {
  const COUNT = 100_000;
  const used = () => {
    globalThis.gc();
    globalThis.gc();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  const kept = [];
  const hold = (count) => {
    for (let index = 0; index < count; index++) kept.push(withCancel(background(), { name: 'bench' }));
  };
  const each = () => {
    kept.length = 0;
    hold(COUNT);
    kept.length = 0;
    const before = used();
    hold(COUNT);
    const after = used();
    for (const [, release] of kept) release();
    return (after - before) / COUNT;
  };
  each();
  console.log('\n| 100,000 live contexts | bytes each, all in |\n|---|---|');
  console.log(`| with their cancel functions, no telemetry | ${each().toFixed(0)} |`);
  const telemetry = install();
  console.log(`| with their cancel functions and telemetry | ${each().toFixed(0)} |`);
  telemetry.uninstall();
}

async function reading() {
  const telemetry = install({ maxNames: 300 });
  const forever = () => new Promise(() => undefined);
  for (let index = 0; index < 280; index++) {
    withCancel(background(), { name: `name-${index}` })[1]();
    const [ctx, cancel] = withCancel(background(), { name: `name-${index}` });
    void run(ctx, { kind: `kind-${index % 5}` }, forever);
    cancel('why');
  }
  const exporter = new PrometheusExporter({
    preventServerStart: true,
    metricProducers: [telemetry.producer({ dialect: 'prometheus' })],
  });
  const provider = new MeterProvider({ readers: [exporter] });
  const registry = new Registry();
  const unregister = register(registry);
  const ways = {
    'OpenTelemetry, as Prometheus text': async () =>
      new PrometheusSerializer().serialize((await exporter.collect()).resourceMetrics),
    'OpenTelemetry, as OTLP protobuf': async () =>
      ProtobufMetricsSerializer.serializeRequest((await exporter.collect()).resourceMetrics),
    'prom-client, as text': () => registry.metrics(),
  };
  const text = await registry.metrics();
  const series = text.split('\n').filter((line) => line !== '' && !line.startsWith('#')).length;
  console.log(`\n| reading ${series} series | ms, first | median of 50 | largest |\n|---|---|---|---|`);
  for (const [name, read] of Object.entries(ways)) {
    const took = [];
    for (let round = 0; round < 51; round++) {
      const from = performance.now();
      await read();
      took.push(performance.now() - from);
    }
    const [first, ...rest] = took;
    const figures = [first, median(rest), Math.max(...rest)].map((figure) => figure.toFixed(2));
    console.log(`| ${[name, ...figures].join(' | ')} |`);
  }
  unregister();
  await provider.shutdown();
  telemetry.uninstall();
}

updates();
if (globalThis.gc === undefined) console.log('\nskipped: bytes of a live context, without --expose-gc');
else bytes();
await reading();
