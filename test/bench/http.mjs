// What Curfew adds to a hello-world server under OpenTelemetry's http instrumentation: CPU of the server's process and
// throughput, over 32 keep-alive connections on loopback. The servers take turns in fresh processes, since each has luck
// of its own; the load comes from this process, which is no server's, and is the same for all of them.
// usage: node test/bench/http.mjs [generations of processes] [turns in each] [--brief]
import { fork } from 'node:child_process';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { brief, machine, median, more } from './paired.mjs';

const require = createRequire(import.meta.url);
// The second is the first once more: what differs between those two is noise.
const MODES = [
  'OpenTelemetry alone',
  'OpenTelemetry alone, again',
  'with Curfew',
  'with Curfew and a server timeout',
];
// As a caller that is traced sends it.
const REQUEST = `GET / HTTP/1.1\r\nHost: bench\r\ntraceparent: 00-${'a'.repeat(32)}-${'b'.repeat(16)}-01\r\n\r\n`;
const CONNECTIONS = 32;
const REQUESTS = brief ? 320 : 3_200;
const [generations = 10, turns = 12] = brief ? [1, 1] : process.argv.slice(2).map(Number);

function serve(mode) {
  const { NodeTracerProvider } = require('@opentelemetry/sdk-trace-node');
  const { CompositePropagator, W3CTraceContextPropagator } = require('@opentelemetry/core');
  const { HttpInstrumentation } = require('@opentelemetry/instrumentation-http');
  const propagators = [new W3CTraceContextPropagator()];
  const spanProcessors = [];
  if (mode.includes('Curfew')) {
    const { instrumentServer } = require('@curfew/http');
    const { DeadlinePropagator } = require('@curfew/propagation');
    const { install } = require('@curfew/telemetry');
    const { plant } = instrumentServer(mode.includes('timeout') ? { timeout: 30_000 } : {});
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
  process.on('message', () => process.send(process.cpuUsage()));
  server.listen(0, '127.0.0.1', () => process.send(server.address().port));
}

const told = (child) => new Promise((resolve) => child.once('message', resolve));

/** Microseconds of CPU, of both sorts, that a server has used so far. */
function cpuOf(child) {
  child.send('cpu');
  return told(child);
}

async function start(mode) {
  const child = fork(fileURLToPath(import.meta.url), ['serve', mode]);
  const port = await told(child);
  const sockets = Array.from({ length: CONNECTIONS }, () => connect(port, '127.0.0.1'));
  await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once('connect', resolve))));
  return { mode, child, sockets };
}

/** Sends requests over all connections, on each the next one as soon as it is answered. */
function load({ sockets }) {
  return new Promise((resolve) => {
    let left = REQUESTS;
    let waiting = sockets.length;
    for (const socket of sockets) {
      const next = () => {
        if (left-- > 0) return void socket.write(REQUEST);
        socket.removeListener('data', next);
        if (--waiting === 0) resolve();
        return undefined;
      };
      socket.on('data', next);
      next();
    }
  });
}

/** One turn of one server: µs of CPU a request, and requests a second. */
async function measure(server) {
  const before = await cpuOf(server.child);
  const from = performance.now();
  await load(server);
  const took = performance.now() - from;
  const after = await cpuOf(server.child);
  const user = (after.user - before.user) / REQUESTS;
  const system = (after.system - before.system) / REQUESTS;
  return { user, system, total: user + system, rate: (REQUESTS / took) * 1000 };
}

/** Each server once, in another order each time, since who comes after whom must not decide. */
async function turn(servers, number) {
  const found = new Map();
  for (const index of servers.keys()) {
    const server = servers[(index + number) % servers.length];
    found.set(server.mode, await measure(server));
  }
  return found;
}

/** The turns of one generation of processes, once they are warm. */
async function generation() {
  const servers = [];
  for (const mode of MODES) servers.push(await start(mode));
  for (let warm = 0; warm < 4; warm++) await turn(servers, warm);
  const found = [];
  for (let number = 0; number < turns; number++) found.push(await turn(servers, number));
  for (const { child, sockets } of servers) {
    for (const socket of sockets) socket.destroy();
    child.kill();
  }
  return found;
}

async function compare() {
  console.log(machine());
  const rounds = [];
  for (let number = 0; number < generations; number++) rounds.push(await generation());
  console.log(
    `medians of ${generations} fresh processes of each, ${turns} × ${REQUESTS} requests over ${CONNECTIONS} connections, in turn\n`,
  );
  console.log(
    '| server | CPU µs a request, user + system | more CPU, median of processes (quartiles) | more user CPU | requests/s, ratio |',
  );
  console.log('|---|---|---|---|---|');
  for (const mode of MODES) {
    const own = (pick) => median(rounds.flat().map((each) => pick(each.get(mode))));
    const each = (compared) =>
      rounds.map((found) =>
        median(found.map((figures) => compared(figures.get(mode), figures.get(MODES[0])))),
      );
    const cells = [
      `${own(({ user }) => user).toFixed(1)} + ${own(({ system }) => system).toFixed(1)}`,
      more(each((ours, floor) => ours.total - floor.total)),
      more(each((ours, floor) => ours.user - floor.user)),
      median(each((ours, floor) => ours.rate / floor.rate)).toFixed(3),
    ];
    console.log(`| ${[mode, ...cells].join(' | ')} |`);
  }
}

if (process.argv[2] === 'serve') serve(process.argv[3]);
else await compare();
