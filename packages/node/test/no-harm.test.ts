import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { endAll, launch, linesOf, type Ended, type Spawned, type SpawnOptions } from './spawned';

/** A program that ends by itself, and what is different about the process that it runs in. */
interface Row extends Omit<SpawnOptions, 'register'> {
  readonly program?: string;
  /** Signals to send, one after the other, each once the program has said `ready` so often. */
  readonly signals?: readonly NodeJS.Signals[];
}

const QUIET = { OTEL_METRICS_EXPORTER: 'none' };

/** How a process ended, without what Curfew says on lines of its own. */
async function endOf({ program = '', signals = [], ...options }: Row, register: boolean): Promise<Ended> {
  // Any import has Node.js start programs in another way, which shows in stacks and origins.
  const app = launch(program, { env: QUIET, before: '0', ...options, register });
  await signalled(app, signals);
  const { stdout, stderr, ...ended } = await app.ended;
  const others = linesOf(stderr).filter((line) => !/^(WARN|ERROR) /.test(line));
  return { ...ended, stdout: steady(stdout), stderr: steady(others.join('\n')) };
}

/** A text without what differs from run to run. */
function steady(text: string): string {
  return text
    .replace(/\(node:\d+\)/g, '(node)')
    .replace(/0x[\da-f]+/g, '0x')
    .replace(/duration_ms:? [\d.]+/g, 'duration_ms');
}

async function signalled(app: Spawned, signals: readonly NodeJS.Signals[]): Promise<void> {
  let count = 0;
  for (const signal of signals) {
    await app.line(new RegExp(`^ready ${count++}$`));
    app.process.kill(signal);
  }
}

async function bothEnd(row: Row): Promise<void> {
  const [without, with_] = await Promise.all([endOf(row, false), endOf(row, true)]);
  expect(with_).toEqual(without);
}

afterAll(endAll);

const READY = `let said = 0; const ready = () => console.log('ready ' + said++); setInterval(() => {}, 1e9);`;
const REJECTS = `Promise.reject(new Error('mine')); setTimeout(() => console.log('lives'), 20);`;
/** What is sent is written as it is, one exchange after the other; \`Date\` is the only thing to differ. */
const RAW_REQUESTS = `
  const http = require('node:http'); const net = require('node:net');
  const server = http.createServer((request, response) => response.end(request.method + ' ' + request.url));
  const exchange = (bytes) => new Promise((resolve) => {
    let answer = '';
    const socket = net.connect(server.address().port, '127.0.0.1', () => socket.end(bytes));
    socket.setEncoding('latin1').on('data', (text) => (answer += text)).on('error', (error) => (answer += error.code));
    socket.on('close', () => resolve(answer.replace(/^Date: .*$/m, '')));
  });
  server.listen(0, '127.0.0.1', async () => {
    for (const line of ['GET //', 'GET http://[', 'GET /%zz', 'GET ///a?b#c', 'OPTIONS *', 'CONNECT a:1', 'HEAD /', 'BREW /', 'PRI *'])
      for (const host of ['', 'host: x\\r\\n', 'host: [\\r\\n', 'host: a b\\r\\n'])
        for (const more of ['', 'traceparent: x\\r\\nbaggage: %\\r\\n', 'x-request-timeout-ms: -1\\r\\n'])
          console.log(line, JSON.stringify(await exchange(line + ' HTTP/1.1\\r\\nconnection: close\\r\\n' + host + more + '\\r\\n')));
    server.close();
  });`;

/** A program as a file: what `-e` runs needs a global of its own. */
const FILE = 'test/fixtures/passes.cjs';

const rows: Readonly<Record<string, Row>> = {
  'nothing to do': {},
  'an exit code that was set': { program: 'process.exitCode = 7' },
  'process.exit': { program: `process.on('exit', (code) => console.log('with', code)); process.exit(8)` },
  'an exit code changed at the last moment': {
    program: `process.on('exit', () => { process.exitCode = 9; })`,
  },
  'beforeExit, told once': { program: `process.on('beforeExit', (code) => console.log('before', code))` },
  'beforeExit that makes work': {
    program: `let left = 3; process.on('beforeExit', () => { console.log(left); if (left-- > 0) setTimeout(() => {}, 1); })`,
  },
  'an exception': { program: `throw new Error('mine')` },
  'an exception in a timer': { program: `setTimeout(() => { throw new Error('mine') }, 1)` },
  'an exception that is no error': { program: `setTimeout(() => { throw null }, 1)` },
  'an exception and a listener that exits': {
    program: `process.on('uncaughtException', (error, origin) => { console.log(error.message, origin); process.exit(3); }); throw new Error('mine')`,
  },
  'an exception and a capture callback': {
    program: `process.setUncaughtExceptionCaptureCallback((error) => console.log('caught', error.message)); setTimeout(() => { throw new Error('mine') }, 1)`,
  },
  'an exception in a domain': {
    program: `const d = require('node:domain').create(); d.on('error', (error) => console.log('caught', error.message)); d.run(() => setTimeout(() => { throw new Error('mine') }, 1))`,
  },
  'a patched process.emit': {
    program: `const { emit } = process; process.emit = function (type, ...rest) { if (type === 'uncaughtException') console.log('seen', rest[0].message); return emit.call(this, type, ...rest); }; setTimeout(() => { throw new Error('mine') }, 1)`,
  },
  'an error event that nobody hears': {
    program: `new (require('node:events'))().emit('error', new Error('mine'))`,
  },
  'a rejection': { program: REJECTS },
  'a rejection, handled late': {
    program: `process.on('rejectionHandled', () => console.log('handled')); process.on('unhandledRejection', (reason) => console.log('not handled', reason)); const late = Promise.reject(1); setTimeout(() => late.catch(() => {}), 10)`,
  },
  ...Object.fromEntries(
    ['strict', 'warn', 'none', 'warn-with-error-code'].map((mode) => [
      `a rejection with --unhandled-rejections=${mode}`,
      { program: REJECTS, flags: [`--unhandled-rejections=${mode}`] },
    ]),
  ),
  'a rejection and a listener that exits': {
    program: `process.on('unhandledRejection', () => process.exit(4)); ${REJECTS}`,
  },
  'an await that never ends': { program: `await new Promise(() => {})`, type: 'module' },
  abort: { program: 'process.abort()' },
  'its own SIGKILL': { program: `process.kill(process.pid, 'SIGKILL'); setTimeout(() => {}, 1e6)` },
  ...Object.fromEntries(
    (['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR2'] as const).map((signal) => [
      `${signal}`,
      { program: `${READY} ready();`, signals: [signal] },
    ]),
  ),
  'SIGTERM and a listener that ends': {
    program: `${READY} process.on('SIGTERM', () => process.exit(5)); ready();`,
    signals: ['SIGTERM'],
  },
  'SIGTERM and a listener that hears it once': {
    program: `${READY} process.once('SIGTERM', () => ready()); ready();`,
    signals: ['SIGTERM', 'SIGTERM'],
  },
  'as many listeners as Node.js allows': {
    program: `for (const event of ['SIGTERM', 'SIGINT', 'beforeExit', 'uncaughtException']) for (let i = 0; i < 10; i++) process.on(event, () => {}); setTimeout(() => process.exit(), 20)`,
  },
  'a closed stderr': {
    program: `require('node:fs').closeSync(2); console.error('unheard'); console.log('lives')`,
    env: { OTEL_TRACES_SAMPLER: 'nonsense', ...QUIET },
  },
  'a worker thread': {
    program: `const { Worker } = require('node:worker_threads'); new Worker("setTimeout(() => process.exit(6), 1)", { eval: true }).on('exit', (code) => console.log('worker', code))`,
  },
  'a worker thread that dies': {
    program: `const { Worker } = require('node:worker_threads'); new Worker("throw new Error('mine')", { eval: true }).on('error', (error) => console.log(error.message)).on('exit', (code) => console.log('worker', code))`,
  },
  'a worker thread that is terminated': {
    program: `const { Worker } = require('node:worker_threads'); const worker = new Worker("setInterval(() => {}, 1e9); require('node:worker_threads').parentPort.postMessage(1)", { eval: true }); worker.on('message', () => worker.terminate().then((code) => console.log('worker', code)))`,
  },
  'a cluster': { args: ['test/fixtures/cluster.cjs'] },
  'a forked process that dies': { args: ['test/fixtures/fork.cjs'] },
  'a run of tests': { args: ['--test', '--test-reporter=tap', 'test/fixtures/suite.cjs'] },
  'a watched file': { args: ['--watch', 'test/fixtures/waits.cjs'], signals: ['SIGTERM'] },
  'a program to check only': { args: ['--check', FILE] },
  'a globalThis that takes nothing new': {
    before: 'Object.preventExtensions(globalThis)',
    args: [FILE],
  },
  'a globalThis that is frozen': { before: 'Object.freeze(globalThis)', args: [FILE] },
  'a frozen node:http': {
    before: `import http from 'node:http'; import https from 'node:https'; Object.freeze(http); Object.freeze(https);`,
    program: RAW_REQUESTS,
  },
  'a process.emit that cannot be changed': {
    before: `Object.defineProperty(process, 'emit', { value: process.emit, writable: false, configurable: false })`,
    program: `console.log('lives')`,
  },
  'no fetch by a flag': { flags: ['--no-experimental-fetch'], program: `console.log(typeof fetch)` },
  'no fetch': { before: 'delete globalThis.fetch', program: `console.log(typeof fetch)` },
  'a fetch that cannot be changed': {
    before: `Object.defineProperty(globalThis, 'fetch', { value: () => 'mine', writable: false, configurable: false })`,
    program: `console.log(fetch())`,
  },
  'a fetch that is a getter': {
    before: `Object.defineProperty(globalThis, 'fetch', { get: () => () => 'mine', configurable: true })`,
    program: `console.log(fetch())`,
  },
  'another tracer provider': {
    before: `globalThis[Symbol.for('opentelemetry.js.api.1')] = { version: '1.9.0', trace: { getTracer: () => ({ startSpan: () => 'theirs' }) } }`,
    program: `console.log('lives')`,
  },
  'a slot of another version of the API': {
    before: `globalThis[Symbol.for('opentelemetry.js.api.1')] = { version: '0.0.1' }`,
    program: `console.log('lives')`,
  },
  'a slot of the API that is nonsense': {
    before: `globalThis[Symbol.for('opentelemetry.js.api.1')] = Object.freeze({})`,
    program: `console.log('lives')`,
  },
  'an API that is not installed': {
    before: `import Module from 'node:module'; const { _load } = Module;
      Module._load = function (name, ...rest) { if (name === '@opentelemetry/api') throw new Error('gone'); return _load.call(this, name, ...rest); };`,
    program: `console.log('lives')`,
  },
  'stacks of its own': {
    before: `Error.prepareStackTrace = () => { throw new TypeError('mine') }; Error.stackTraceLimit = 0;`,
    program: `console.log('lives')`,
  },
  OTEL_SDK_DISABLED: { env: { OTEL_SDK_DISABLED: 'true' }, program: RAW_REQUESTS },
  'nothing but bad variables': {
    env: Object.fromEntries(
      [
        'OTEL_SDK_DISABLED',
        'OTEL_LOG_LEVEL',
        'OTEL_RESOURCE_ATTRIBUTES',
        'OTEL_PROPAGATORS',
        'OTEL_METRICS_EXPORTER',
        'OTEL_EXPORTER_PROMETHEUS_PORT',
        'OTEL_BSP_SCHEDULE_DELAY',
        'CURFEW_ENFORCE',
        'CURFEW_GUARD',
        'CURFEW_REQUEST_TIMEOUT',
        'CURFEW_OUTBOUND_HOSTS',
        'OTEL_EXPORTER_OTLP_ENDPOINT',
      ].map((name) => [name, '%zz !']),
    ),
    program: `console.log('lives')`,
  },
  'an authority that cannot be read': {
    env: {
      ...QUIET,
      OTEL_EXPORTER_OTLP_ENDPOINT: 'https://127.0.0.1:1',
      OTEL_EXPORTER_OTLP_CERTIFICATE: '/nowhere.pem',
    },
    program: `console.log('lives')`,
  },
  'strange requests': { program: RAW_REQUESTS },
};

test.concurrent.each(Object.keys(rows))('%s: the process says and ends as without', async (name) =>
  bothEnd(rows[name] as Row),
);

/** A Collector that is none: what it does with a connection. */
const collectors: Readonly<Record<string, (socket: Socket) => void>> = {
  'resets every connection': (socket) => socket.resetAndDestroy(),
  'never answers': () => undefined,
  'answers 500': (socket) =>
    socket.on('data', () => socket.end('HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n')),
  'answers nonsense': (socket) => socket.on('data', () => socket.end('no HTTP at all\r\n\r\n')),
  'cuts its answer off': (socket) =>
    socket.on('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx')),
  'sends it elsewhere': (socket) =>
    socket.on('data', () => socket.end('HTTP/1.1 308 No\r\nlocation: http://[\r\ncontent-length: 0\r\n\r\n')),
};

describe('a Collector that', () => {
  const servers: Server[] = [];
  afterAll(() => servers.forEach((server) => server.close()));

  async function listen(onConnection: (socket: Socket) => void): Promise<number> {
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      onConnection(socket);
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return (server.address() as AddressInfo).port;
  }

  test.concurrent.each([...Object.keys(collectors), 'is not there'])('%s', async (name) => {
    const port = name === 'is not there' ? 1 : await listen(collectors[name] as (socket: Socket) => void);
    const env = {
      OTEL_METRICS_EXPORTER: 'otlp',
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
      CURFEW_SHUTDOWN_TIMEOUT: '100',
      OTEL_BSP_SCHEDULE_DELAY: '1',
    };
    await bothEnd({ env, program: RAW_REQUESTS });
    await bothEnd({ env, program: `process.on('beforeExit', (code) => console.log('before', code))` });
  });
});

test('a port of /metrics that is taken', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await bothEnd({ env: { OTEL_EXPORTER_PROMETHEUS_PORT: String(port) }, program: RAW_REQUESTS });
  server.close();
});
