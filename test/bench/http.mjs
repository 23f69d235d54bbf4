// What Curfew adds to a hello-world server under OpenTelemetry's http instrumentation: throughput over 32 keep-alive
// connections on loopback, the servers in turn, ratios round by round, and fresh processes now and then, since each
// has luck of its own. The load comes from wrk, which leaves the server the slower of the two; without it, from here.
// usage: node test/bench/http.mjs [generations of processes] [rounds in each]
import { execFile, execFileSync, fork } from 'node:child_process';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { connect } from 'node:net';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);
// The second is the first once more: what differs between those two is noise.
const MODES = [
  'OpenTelemetry alone',
  'OpenTelemetry alone, again',
  'with Curfew',
  'with Curfew and a server timeout',
];
const REQUEST = 'GET / HTTP/1.1\r\nHost: bench\r\n\r\n';
const CONNECTIONS = 32;
const SECONDS = 1;

const sorted = (list) => [...list].sort((a, b) => a - b);
const median = (list) => sorted(list)[list.length >> 1];

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
  process.on('message', () => {
    const { user, system } = process.cpuUsage();
    process.send({ user, system });
  });
  server.listen(0, '127.0.0.1', () => process.send(server.address().port));
}

/** Requests a second, how many there were, and the 99th percentile of how long each took, in ms. */
const load = hasWrk() ? loadFromWrk : loadFromHere;

function hasWrk() {
  try {
    execFileSync('which', ['wrk'], { stdio: 'ignore' });
    return true;
  } catch {
    console.log('skipped: no wrk; the load comes from this process, which is as busy as the server\n');
    return false;
  }
}

function loadFromWrk(port) {
  const args = ['-t1', `-c${CONNECTIONS}`, `-d${SECONDS}s`, '--latency', `http://127.0.0.1:${port}/`];
  return new Promise((resolve, reject) => {
    execFile('wrk', args, (error, output) => {
      if (error !== null) return reject(error);
      const [, rate] = /Requests\/sec:\s+([\d.]+)/.exec(output);
      const [, count] = /(\d+) requests in/.exec(output);
      const [, p99, unit] = /99%\s+([\d.]+)(us|ms|s)/.exec(output);
      return resolve({ rate: +rate, count: +count, p99: p99 * { us: 1e-3, ms: 1, s: 1e3 }[unit] });
    });
  });
}

function loadFromHere(port) {
  return new Promise((resolve) => {
    const from = performance.now();
    const until = from + SECONDS * 1000;
    const took = [];
    let open = CONNECTIONS;
    for (let index = 0; index < CONNECTIONS; index++) {
      const socket = connect(port, '127.0.0.1');
      let sentAt;
      const next = () => {
        sentAt = performance.now();
        if (sentAt < until) return socket.write(REQUEST);
        socket.end();
        if (--open > 0) return undefined;
        const rate = (took.length / (sentAt - from)) * 1000;
        return resolve({ rate, count: took.length, p99: sorted(took)[Math.floor(took.length * 0.99)] });
      };
      socket.on('connect', next);
      socket.on('data', () => {
        took.push(performance.now() - sentAt);
        next();
      });
    }
  });
}

/** Microseconds of CPU, of both sorts, that a server has used so far. */
function cpuOf(child) {
  return new Promise((resolve) => {
    child.once('message', resolve);
    child.send('cpu');
  });
}

async function start(mode) {
  const child = fork(fileURLToPath(import.meta.url), ['serve', mode]);
  const port = await new Promise((resolve) => child.once('message', resolve));
  return { child, port };
}

/** One round: each server in turn, in another order each time, since who comes after whom must not decide. */
async function round(servers, number) {
  const found = new Map();
  for (const index of servers.keys()) {
    const { mode, child, port } = servers[(index + number) % servers.length];
    const before = await cpuOf(child);
    const { rate, count, p99 } = await load(port);
    const after = await cpuOf(child);
    const user = (after.user - before.user) / count;
    const system = (after.system - before.system) / count;
    found.set(mode, { rate, p99, user, system, cpu: user + system });
  }
  return found;
}

async function compare(generations, rounds) {
  const found = [];
  for (let generation = 0; generation < generations; generation++) {
    const servers = [];
    for (const mode of MODES) servers.push({ mode, ...(await start(mode)) });
    for (let warm = 0; warm < 2; warm++) await round(servers, warm);
    for (let number = 0; number < rounds; number++) found.push(await round(servers, number));
    for (const { child } of servers) child.kill();
  }
  console.log(`Node ${process.version}, ${cpus()[0].model}, ${new Date().toISOString().slice(0, 10)}`);
  console.log(
    `medians of ${generations} × ${rounds} paired rounds of ${SECONDS} s, ${CONNECTIONS} connections\n`,
  );
  console.log(
    '| server | requests/s | ratio, median of rounds (quartiles) | p99 ms | CPU µs a request, user + system | ratio |',
  );
  console.log('|---|---|---|---|---|---|');
  for (const mode of MODES) {
    const all = (pick) => sorted(found.map((each) => pick(each.get(mode), each.get(MODES[0]))));
    const ratios = all((own, floor) => own.rate / floor.rate);
    const quartile = (share) => ratios[Math.floor((ratios.length - 1) * share)].toFixed(3);
    const figures = [
      median(all(({ rate }) => rate)).toFixed(0),
      `${quartile(0.5)} (${quartile(0.25)}–${quartile(0.75)})`,
      median(all(({ p99 }) => p99)).toFixed(2),
      `${median(all(({ user }) => user)).toFixed(1)} + ${median(all(({ system }) => system)).toFixed(1)}`,
      median(all((own, floor) => own.cpu / floor.cpu)).toFixed(3),
    ];
    console.log(`| ${[mode, ...figures].join(' | ')} |`);
  }
}

if (process.argv[2] === 'serve') serve(process.argv[3]);
else await compare(Number(process.argv[2] ?? 5), Number(process.argv[3] ?? 7));
