// What Curfew adds to a hello-world server under OpenTelemetry's http instrumentation: throughput over 16 keep-alive
// connections on loopback, the servers in turn, ratios round by round. usage: node test/bench/http.mjs [rounds]
import { fork } from 'node:child_process';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { connect } from 'node:net';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);
const MODES = ['OpenTelemetry alone', 'with Curfew', 'with Curfew and a server timeout'];
const REQUEST = 'GET / HTTP/1.1\r\nHost: bench\r\n\r\n';
const CONNECTIONS = 16;
const REQUESTS = 6000;

function serve(mode) {
  const { NodeTracerProvider } = require('@opentelemetry/sdk-trace-node');
  const { CompositePropagator, W3CTraceContextPropagator } = require('@opentelemetry/core');
  const { HttpInstrumentation } = require('@opentelemetry/instrumentation-http');
  const propagators = [new W3CTraceContextPropagator()];
  const spanProcessors = [];
  if (mode !== MODES[0]) {
    const { instrumentServer } = require('@curfew/http');
    const { DeadlinePropagator } = require('@curfew/propagation');
    const { install } = require('@curfew/telemetry');
    const { plant } = instrumentServer(mode === MODES[2] ? { timeout: 30_000 } : {});
    propagators.push(new DeadlinePropagator({ plant }));
    spanProcessors.push(install().spanProcessor);
  }
  const { NoopSpanProcessor } = require('@opentelemetry/sdk-trace-base');
  new NodeTracerProvider({ spanProcessors: [...spanProcessors, new NoopSpanProcessor()] }).register({
    propagator: new CompositePropagator({ propagators }),
  });
  new HttpInstrumentation();
  const http = require('node:http');
  syncBuiltinESMExports();
  const server = http.createServer((request, response) => response.end('hello world'));
  process.on('message', () => {
    const { user, system } = process.cpuUsage();
    process.send(user + system);
  });
  server.listen(0, '127.0.0.1', () => process.send(server.address().port));
}

/** Requests a second, and how long each took in ms. */
function load(port) {
  return new Promise((resolve) => {
    const from = performance.now();
    const took = [];
    let left = REQUESTS;
    for (let index = 0; index < CONNECTIONS; index++) {
      const socket = connect(port, '127.0.0.1');
      let sentAt;
      const next = () => {
        if (left-- <= 0) return socket.end();
        sentAt = performance.now();
        return socket.write(REQUEST);
      };
      socket.on('connect', next);
      socket.on('data', () => {
        const now = performance.now();
        if (took.push(now - sentAt) === REQUESTS) resolve({ rate: (REQUESTS / (now - from)) * 1000, took });
        next();
      });
    }
  });
}

/** Microseconds of CPU that a server has used so far. */
function cpuOf(child) {
  return new Promise((resolve) => {
    child.once('message', resolve);
    child.send('cpu');
  });
}

const sorted = (list) => [...list].sort((a, b) => a - b);
const median = (list) => sorted(list)[list.length >> 1];

async function compare(rounds) {
  const servers = [];
  for (const mode of MODES) {
    const child = fork(fileURLToPath(import.meta.url), ['serve', mode]);
    const port = await new Promise((resolve) => child.once('message', resolve));
    servers.push({ mode, child, port, rates: [], p99s: [], cpu: [] });
  }
  for (let warm = 0; warm < 3; warm++) for (const { port } of servers) await load(port);
  for (let round = 0; round < rounds; round++) {
    // In another order each time: who comes after whom must not decide.
    const order = servers.map((_, index) => servers[(index + round) % servers.length]);
    for (const { child, port, rates, p99s, cpu } of order) {
      const before = await cpuOf(child);
      const { rate, took } = await load(port);
      cpu.push(((await cpuOf(child)) - before) / REQUESTS);
      rates.push(rate);
      p99s.push(sorted(took)[Math.floor(REQUESTS * 0.99)]);
    }
  }
  console.log(`Node ${process.version}, ${cpus()[0].model}, ${new Date().toISOString().slice(0, 10)}`);
  console.log(`medians of ${rounds} paired rounds of ${REQUESTS} requests\n`);
  console.log('| server | requests/s | ratio, median of rounds | p99 ms | CPU µs a request |');
  console.log('|---|---|---|---|---|');
  const [floor] = servers;
  for (const { mode, rates, p99s, cpu } of servers) {
    const ratio = median(rates.map((rate, round) => rate / floor.rates[round]));
    const figures = [
      median(rates).toFixed(0),
      ratio.toFixed(3),
      median(p99s).toFixed(2),
      median(cpu).toFixed(1),
    ];
    console.log(`| ${[mode, ...figures].join(' | ')} |`);
  }
  for (const { child } of servers) child.kill();
}

if (process.argv[2] === 'serve') serve(process.argv[3]);
else await compare(Number(process.argv[2] ?? 21));
