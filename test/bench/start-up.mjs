// What `node --import @curfew/node/register` adds to the start of a process: beside an empty program, once more as the
// noise, and beside the same SDK set up by hand. Each start is a process of its own, one of each in turn. Then what is
// loaded, and which packages take the longest. usage: node test/bench/start-up.mjs [starts] [--brief]
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brief, machine, median, printRow } from './paired.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const node = join(root, 'packages/node');
const register = join(node, 'dist/register.js');
const [starts = 20] = brief ? [1] : process.argv.slice(2).map(Number);

/** Tells what the process has used by its end, in ms: since it was started, and of CPU. */
const TELL = `process.on('exit', () => {
  const { user, system } = process.cpuUsage();
  require('node:fs').writeSync(1, JSON.stringify({ wall: performance.now(), cpu: (user + system) / 1000 }));
});`;

/** What \`register\` sets up of OpenTelemetry, as its user would write it. */
const BY_HAND = `
const { propagation, metrics, trace, context } = require('@opentelemetry/api');
const { AsyncLocalStorageContextManager } = require('@opentelemetry/context-async-hooks');
const { CompositePropagator, W3CBaggagePropagator, W3CTraceContextPropagator } = require('@opentelemetry/core');
const { HttpInstrumentation } = require('@opentelemetry/instrumentation-http');
const { PrometheusExporter } = require('@opentelemetry/exporter-prometheus');
const { UndiciInstrumentation } = require('@opentelemetry/instrumentation-undici');
const { defaultResource } = require('@opentelemetry/resources');
const { MeterProvider } = require('@opentelemetry/sdk-metrics');
const { NodeTracerProvider } = require('@opentelemetry/sdk-trace-node');
const resource = defaultResource();
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
metrics.setGlobalMeterProvider(new MeterProvider({ resource, readers: [new PrometheusExporter({ host: '127.0.0.1' })] }));
trace.setGlobalTracerProvider(new NodeTracerProvider({ resource }));
propagation.setGlobalPropagator(
  new CompositePropagator({ propagators: [new W3CTraceContextPropagator(), new W3CBaggagePropagator()] }),
);
new HttpInstrumentation();
new UndiciInstrumentation();
require('node:http');
require('node:https');
`;

/** Adds up the CPU that loading a package's modules takes, each without those that it loads itself. */
const WATCH = `
const Module = require('node:module');
const packages = new Map();
let inner = 0;
const load = Module.prototype.load;
Module.prototype.load = function (file) {
  const outer = inner;
  inner = 0;
  const from = process.cpuUsage();
  load.call(this, file);
  const { user, system } = process.cpuUsage(from);
  const took = (user + system) / 1000;
  const [, name] = /.*node_modules[\\\\/]((?:@[^\\\\/]+[\\\\/])?[^\\\\/]+)/.exec(file)
    ?? /.*(packages[\\\\/][^\\\\/]+)/.exec(file) ?? [, 'other'];
  const found = packages.get(name) ?? { modules: 0, ms: 0 };
  packages.set(name, { modules: found.modules + 1, ms: found.ms + took - inner });
  inner = outer + took;
};
process.on('exit', () => require('node:fs').writeSync(1, JSON.stringify([...packages])));
`;

const folder = mkdtempSync(join(tmpdir(), 'curfew-start-up-'));
const file = (name, text) => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
const empty = file('empty.cjs', TELL);
const nothing = file('nothing.cjs', '');
const watched = file('watched.cjs', WATCH);
// Beside the SDK, so that it is found from there.
const byHand = join(node, 'dist', `by-hand-${process.pid}.cjs`);
writeFileSync(byHand, BY_HAND);

const WAYS = {
  'an empty program': [empty],
  'an empty program, again': [empty],
  '--import of an empty file': ['--import', nothing, empty],
  '--import of the SDK by hand': ['--import', byHand, empty],
  '--import @curfew/node/register': ['--import', register, empty],
};

const run = (args) => JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' }));

try {
  console.log(machine());
  console.log(`medians of ${starts} starts of each, in turn; ms\n`);
  const names = Object.keys(WAYS);
  const found = [];
  for (let start = 0; start < starts; start++) {
    const figures = new Map();
    for (const place of names.keys()) {
      const name = names[(place + start) % names.length];
      figures.set(name, run(WAYS[name]));
    }
    found.push(figures);
  }
  for (const kind of ['cpu', 'wall']) {
    const rounds = found.map((figures) => [
      new Map([...figures].map(([name, figure]) => [name, figure[kind]])),
    ]);
    console.log(`| ${kind} | ms | more than an empty program, median (quartiles) |\n|---|---|---|`);
    for (const name of names) printRow(name, names[0], rounds, 1);
    const [hand, ours] = names.slice(-2).map((name) => found.map((figures) => figures.get(name)[kind]));
    console.log(`\n${median(ours.map((ms, start) => ms / hand[start])).toFixed(2)} × the SDK by hand\n`);
  }
  const packages = run(['--require', watched, '--import', register, nothing]);
  const sum = (pick) => packages.reduce((total, [, each]) => total + pick(each), 0);
  console.log(`${sum(({ modules }) => modules)} modules in ${sum(({ ms }) => ms).toFixed(0)} ms of CPU\n`);
  console.log('| package | modules | ms of CPU of its own |\n|---|---|---|');
  const slowest = packages.sort(([, a], [, b]) => b.ms - a.ms).slice(0, 12);
  for (const [name, { modules, ms }] of slowest) console.log(`| ${name} | ${modules} | ${ms.toFixed(1)} |`);
} finally {
  rmSync(folder, { recursive: true });
  rmSync(byHand);
}
