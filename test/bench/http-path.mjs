// What Curfew adds to the JavaScript of a request: the events of a hello-world request under OpenTelemetry's http
// instrumentation, over a socket that goes nowhere, so that neither the kernel nor a client adds its noise. The least
// of several batches in fresh processes, since noise only ever adds. usage: node test/bench/http-path.mjs [rounds]
import { execFileSync } from 'node:child_process';
import { channel } from 'node:diagnostics_channel';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { cpus } from 'node:os';
import { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);
const MODES = ['OpenTelemetry alone', 'with contexts', 'and telemetry', 'and a server timeout'];
const REQUESTS = 16_000;
const TOGETHER = 16;
/** As a caller that is traced sends it. */
const TRACEPARENT = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;

function setUp(mode) {
  const { NodeTracerProvider } = require('@opentelemetry/sdk-trace-node');
  const { NoopSpanProcessor } = require('@opentelemetry/sdk-trace-base');
  const { CompositePropagator, W3CTraceContextPropagator } = require('@opentelemetry/core');
  const { HttpInstrumentation } = require('@opentelemetry/instrumentation-http');
  const propagators = [new W3CTraceContextPropagator()];
  const spanProcessors = [new NoopSpanProcessor()];
  if (mode >= 1) {
    const { instrumentServer } = require('@curfew/http');
    const { DeadlinePropagator } = require('@curfew/propagation');
    const { plant } = instrumentServer(mode >= 3 ? { timeout: 30_000 } : {});
    propagators.push(new DeadlinePropagator({ plant }));
  }
  if (mode >= 2) spanProcessors.push(require('@curfew/telemetry').install().spanProcessor);
  new NodeTracerProvider({ spanProcessors }).register({
    propagator: new CompositePropagator({ propagators }),
  });
  new HttpInstrumentation();
  const http = require('node:http');
  syncBuiltinESMExports();
  return http;
}

/** Takes what is written, and never has anything to read. */
class Nowhere extends Duplex {
  remoteAddress = '127.0.0.1';
  remotePort = 1;
  _read() {}
  _write(_chunk, _encoding, done) {
    done();
  }
  setTimeout() {}
}

async function measure(mode) {
  const http = setUp(mode);
  const server = http.createServer((_, response) => response.end('hello world'));
  const started = channel('http.server.request.start');

  const begin = () => {
    const socket = new Nowhere();
    const request = new http.IncomingMessage(socket);
    Object.assign(request, { method: 'GET', url: '/', httpVersion: '1.1' });
    request.headers.host = 'bench';
    request.headers.traceparent = TRACEPARENT;
    const response = new http.ServerResponse(request);
    response.assignSocket(socket);
    if (started.hasSubscribers) started.publish({ request, response, socket, server });
    server.emit('request', request, response);
    return response;
  };
  const batch = async () => {
    const before = process.cpuUsage();
    for (let index = 0; index < REQUESTS; index += TOGETHER) {
      const responses = Array.from({ length: TOGETHER }, begin);
      await new Promise((resolve) => setImmediate(resolve));
      for (const response of responses) {
        if (response.socket) response.detachSocket(response.socket);
        response.emit('close');
      }
    }
    const { user, system } = process.cpuUsage(before);
    return (user + system) / REQUESTS;
  };
  for (let warm = 0; warm < 3; warm++) await batch();
  let least = Infinity;
  for (let round = 0; round < 7; round++) least = Math.min(least, await batch());
  console.log(least);
  process.exit();
}

if (process.argv[2] === 'measure') await measure(Number(process.argv[3]));
else {
  const rounds = Number(process.argv[2] ?? 7);
  const figures = MODES.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const mode of MODES.keys()) {
      // Collections on threads of their own would wait for a core to be free.
      const args = ['--single-threaded-gc', fileURLToPath(import.meta.url), 'measure', mode];
      figures[mode].push(Number(execFileSync(process.execPath, args, { encoding: 'utf8' })));
    }
  }
  const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];
  console.log(`Node ${process.version}, ${cpus()[0].model}, ${new Date().toISOString().slice(0, 10)}`);
  console.log(`µs of CPU a request, median of ${rounds} fresh processes, the least of 7 batches each\n`);
  console.log('| server | µs | added |\n|---|---|---|');
  for (const [mode, name] of MODES.entries()) {
    const added = median(figures[mode].map((figure, round) => figure - figures[0][round]));
    console.log(`| ${name} | ${median(figures[mode]).toFixed(2)} | ${added.toFixed(2)} |`);
  }
}
