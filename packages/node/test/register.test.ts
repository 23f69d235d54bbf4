import { createServer, get, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { endAll, launch, linesOf, run, type SpawnOptions } from './spawned';

afterEach(endAll);

const CONSOLE = { OTEL_METRICS_EXPORTER: 'none', OTEL_TRACES_EXPORTER: 'console' };

/** A server that answers with the context of the request, and one call to it by fetch and one by node:http. */
const BODY = `
  const server = createServer((request, response) => response.end(active().toString()));
  server.listen(0, '127.0.0.1', async () => {
    const url = 'http://127.0.0.1:' + server.address().port;
    console.log('context ' + (await (await fetch(url)).text()));
    get(url, (response) => response.resume().on('end', () => server.close()));
    server.closeIdleConnections();
  });`;

const CJS = `const { createServer, get } = require('node:http'); const { active } = require('@curfew/context');${BODY}`;
const ESM = `import { createServer, get } from 'node:http'; import { active } from '@curfew/context';${BODY}`;
const ESM_DEFAULT = `import http from 'http'; import { active } from '@curfew/context'; const { createServer, get } = http;${BODY}`;

test.each<[string, string, SpawnOptions['type']]>([
  ['CommonJS', CJS, 'commonjs'],
  ['an ES module that imports by name', ESM, 'module'],
  ['an ES module that imports the default', ESM_DEFAULT, 'module'],
])(
  '%s: requests have a context and are traced, served and sent, by fetch and by node:http',
  async (_, program, type) => {
    const { code, stdout, stderr } = await run(program, { type: type!, env: CONSOLE });
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^context context\.Background.*WithCancel/m);
    // SpanKind: 1 is SERVER, 2 is CLIENT.
    expect(stdout.match(/kind: 1,/g)).toHaveLength(2);
    expect(stdout.match(/kind: 2,/g)).toHaveLength(2);
    expect(stdout).toContain("name: '@opentelemetry/instrumentation-http'");
    expect(stdout).toContain("name: '@opentelemetry/instrumentation-undici'");
  },
);

test('an ES module is traced although another one had imported node:http before', async () => {
  const { stdout } = await run(ESM, { type: 'module', env: CONSOLE, before: `import 'node:http';` });
  expect(stdout.match(/kind: 2,/g)).toHaveLength(2);
});

test('a process that has nothing to do ends at once, silently, with exit code 0', async () => {
  const env = { OTEL_EXPORTER_PROMETHEUS_PORT: '0' };
  expect(await run('', { env })).toEqual({ code: 0, signal: null, stdout: '', stderr: '' });
});

test('the exit code of the application stays what it is', async () => {
  expect((await run('process.exitCode = 7')).code).toBe(7);
  expect((await run('process.exit(8)')).code).toBe(8);
  expect((await run('throw new Error("mine")')).code).toBe(1);
});

describe('/metrics', () => {
  const WAITS = `setInterval(() => {}, 1e9); require('@curfew/node').start().prometheus.then((url) => console.log('at ' + url));`;

  async function fetchText(url: string): Promise<string> {
    const response = await fetch(url, { headers: { connection: 'close' } });
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    return response.text();
  }

  test('is served on 127.0.0.1, with what names the service, with port 0 on any free port', async () => {
    const env = {
      OTEL_EXPORTER_PROMETHEUS_PORT: '0',
      OTEL_SERVICE_NAME: 'orders',
      OTEL_RESOURCE_ATTRIBUTES: 'service.version=1.2',
    };
    const app = launch(WAITS, { env });
    const [, url] = await app.line(/^at (http:\/\/127\.0\.0\.1:\d+\/metrics)$/);
    const text = await fetchText(url!);
    expect(text).toMatch(/^target_info\{.*service_version="1\.2".*\} 1$/m);
    expect(text).toMatch(/^target_info\{.*service_name="orders".*\} 1$/m);
    expect(text).toContain('curfew_build_info{curfew_version=');
  });

  test('makes no context and no span, and no request metric', async () => {
    const app = launch(WAITS, {
      env: { OTEL_EXPORTER_PROMETHEUS_PORT: '0', OTEL_TRACES_EXPORTER: 'console' },
    });
    const [, url] = await app.line(/^at (.*)$/);
    await fetchText(url!);
    const text = await fetchText(url!);
    expect(text).not.toMatch(/http\.server|http_server|curfew_propagation_inbound/);
    app.process.kill();
    expect((await app.ended).stdout).not.toContain('traceId');
  });

  test('answers 404 elsewhere and 405 to what is no GET', async () => {
    const app = launch(WAITS, { env: { OTEL_EXPORTER_PROMETHEUS_PORT: '0' } });
    const [, url] = await app.line(/^at (.*)$/);
    expect((await fetch(new URL('/', url))).status).toBe(404);
    expect((await fetch(url!, { method: 'POST' })).status).toBe(405);
  });

  test('tells its address at the log level info', async () => {
    const app = launch('setInterval(() => {}, 1e9)', {
      env: { OTEL_EXPORTER_PROMETHEUS_PORT: '0', OTEL_LOG_LEVEL: 'info' },
    });
    const [, url] = await app.line(/^INFO curfew: metrics on (http:.*)$/);
    expect(await fetchText(url!)).toContain('target_info');
  });

  test('holds no process, not even with a scraper connected', async () => {
    const app = launch(
      `require('@curfew/node').start().prometheus.then((url) => {
      console.log('at ' + url);
      process.stdin.once('data', () => {}).resume();
      const socket = require('node:net').connect(new URL(url).port, '127.0.0.1', () => { console.log('connected'); socket.unref(); });
    });`,
      { env: { OTEL_EXPORTER_PROMETHEUS_PORT: '0' } },
    );
    await app.line(/^connected$/);
    expect((await app.ended).code).toBe(0);
  });

  describe('where the port is taken', () => {
    let server: Server;
    beforeEach(
      (done) =>
        void (server = createServer((_, response) => response.end('mine')).listen(0, '127.0.0.1', done)),
    );
    afterEach((done) => void server.close(done));

    test('the service says so in one line and runs on', async () => {
      const { port } = server.address() as AddressInfo;
      const program = `require('@curfew/node').start().prometheus.then((url) => console.log('url', url, 'runs on'));`;
      const { code, stdout, stderr } = await run(program, {
        env: { OTEL_EXPORTER_PROMETHEUS_PORT: String(port) },
      });
      expect(code).toBe(0);
      expect(stdout).toBe('url undefined runs on\n');
      const told = linesOf(stderr).filter((line) => line.includes('metrics endpoint'));
      expect(told).toEqual([
        `WARN curfew: no metrics endpoint: 127.0.0.1:${port} is taken; set OTEL_EXPORTER_PROMETHEUS_HOST and ` +
          'OTEL_EXPORTER_PROMETHEUS_PORT, or OTEL_METRICS_EXPORTER=none, the service goes on without it',
      ]);
      // Whoever had it keeps it.
      await new Promise<void>((resolve) =>
        get(
          { port, host: '127.0.0.1', agent: false },
          (response) => void response.resume().on('end', resolve),
        ),
      );
    });
  });
});

test('fetch and http.request measured under one name make one valid family', async () => {
  const program = `
    const { createServer, get } = require('node:http');
    const server = createServer((_, response) => response.end()).listen(0, '127.0.0.1', async () => {
      const url = 'http://127.0.0.1:' + server.address().port;
      await (await fetch(url)).text();
      await new Promise((resolve) => get(url, (response) => response.resume().on('end', resolve)));
      const metrics = await require('@curfew/node').start().prometheus;
      console.log(await (await fetch(metrics)).text());
      server.close(); server.closeAllConnections();
    });`;
  const { stdout } = await run(program, { env: { OTEL_EXPORTER_PROMETHEUS_PORT: '0' } });
  const types = linesOf(stdout).filter((line) => line.startsWith('# TYPE '));
  expect(new Set(types).size).toBe(types.length);
  const counts = linesOf(stdout).filter((line) => line.startsWith('http_client_request_duration_count{'));
  expect(counts.map((line) => /otel_scope_name="([^"]+)"/.exec(line)?.[1])).toEqual([
    '@opentelemetry/instrumentation-http',
    '@opentelemetry/instrumentation-undici',
  ]);
  expect(linesOf(stdout)).toContain(
    'curfew_context_ended_total{curfew_context_outcome="completed",curfew_context_name="http.server"} 2',
  );
});

describe('OTEL_SDK_DISABLED', () => {
  const env = {
    OTEL_SDK_DISABLED: 'true',
    OTEL_TRACES_EXPORTER: 'console',
    OTEL_EXPORTER_PROMETHEUS_PORT: '0',
  };

  test('sets up no telemetry, endpoint or instrumentation', async () => {
    const { stdout, stderr } = await run(CJS, { env });
    expect(stdout).toBe('context context.Background\n');
    expect(stderr).toBe('');
    const program = `const { telemetry, prometheus } = require('@curfew/node').start(); prometheus.then((url) => console.log(telemetry, url));`;
    expect((await run(program, { env })).stdout).toBe('undefined undefined\n');
  });

  test('loads nothing of the SDK, and of telemetry what its options are', async () => {
    const program = `console.log(Object.keys(require.cache).filter((file) => /sdk-|exporter|instrumentation|packages.(telemetry|http)/.test(file)).map((file) => file.replace(/.*packages/, '')))`;
    expect((await run(program, { env })).stdout).toBe("[ '/telemetry/dist/options.js' ]\n");
  });

  test('leaves contexts at work across awaits', async () => {
    const program = `
      import { scope, active } from '@curfew/context';
      await scope({ timeout: 60_000 }, async () => { await new Promise(setImmediate); console.log(active().remaining() <= 60_000); });`;
    expect((await run(program, { env, type: 'module' })).stdout).toBe('true\n');
  });
});

test('a second start returns the handle of the first and warns once', async () => {
  const program = `
    const { start } = require('@curfew/node');
    const first = start({ serviceName: 'other' });
    console.log(first === start(), first.telemetry !== undefined);`;
  const { stdout, stderr } = await run(program);
  expect(stdout).toBe('true true\n');
  expect(linesOf(stderr)).toEqual([
    'WARN curfew: started already; this call has no effect and returns what the first one did',
  ]);
});

test('start() alone sets everything up, for what is loaded after it', async () => {
  const program = `require('@curfew/node').start({ serviceName: 'orders', prometheus: false });${CJS}`;
  const { stdout } = await run(program, { register: false, env: { OTEL_TRACES_EXPORTER: 'console' } });
  expect(stdout.match(/'service.name': 'orders'/g)).toHaveLength(4);
});

test('bad variables never throw: one line each, and the application runs', async () => {
  const env = {
    OTEL_METRICS_EXPORTER: 'none',
    OTEL_TRACES_SAMPLER: 'often',
    OTEL_ATTRIBUTE_COUNT_LIMIT: 'many',
    CURFEW_ORPHAN_GRACE: '-1',
    OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
  };
  const { code, stdout, stderr } = await run('console.log("runs")', { env });
  expect({ code, stdout }).toEqual({ code: 0, stdout: 'runs\n' });
  expect(linesOf(stderr)).toStrictEqual([
    expect.stringContaining('CURFEW_ORPHAN_GRACE: "-1"'),
    expect.stringContaining('OTEL_TRACES_SAMPLER: "often"'),
    expect.stringContaining('OTEL_ATTRIBUTE_COUNT_LIMIT: "many"'),
    expect.stringContaining('OTEL_EXPORTER_OTLP_PROTOCOL: "grpc"'),
  ]);
});

test("OTEL_LOG_LEVEL=none silences it, and a logger of the application's own takes over in silence", async () => {
  const env = { OTEL_METRICS_EXPORTER: 'none', OTEL_TRACES_SAMPLER: 'often' };
  expect((await run('', { env: { ...env, OTEL_LOG_LEVEL: 'none' } })).stderr).toBe('');
  const program = `
    const { diag } = require('@opentelemetry/api');
    diag.setLogger({ error() {}, warn: (line) => console.log('mine: ' + line), info() {}, debug() {}, verbose() {} }, { suppressOverrideMessage: true });
    require('@curfew/node').start();`;
  const { stdout, stderr } = await run(program);
  expect(stderr).toBe('');
  expect(stdout).toMatch(/^mine: curfew: started already/);
});

test('CURFEW_ENFORCE=0 counts what Curfew would cancel and cancels none of it; what the program cancels ends', async () => {
  const program = `
    const { background, withCancel } = require('@curfew/context');
    const { end } = require('@curfew/context/spi');
    const [request] = withCancel(background());
    end(request, { origin: 'client_disconnect', automatic: true });
    const [own, cancel] = withCancel(background());
    cancel(new Error('enough'));
    const { telemetry } = require('@curfew/node').start();
    console.log(request.err(), own.err().message, telemetry.snapshot().get('curfew.cancel.observed').points[0].value);`;
  expect((await run(program, { env: { OTEL_METRICS_EXPORTER: 'none', CURFEW_ENFORCE: '0' } })).stdout).toBe(
    'undefined context canceled 1\n',
  );
});

test.each([
  ['tracecontext', { traceparent: true, baggage: false }],
  ['baggage', { traceparent: false, baggage: true }],
  ['none', { traceparent: false, baggage: false }],
])('OTEL_PROPAGATORS=%s sends just that, and requests keep their contexts', async (propagators, expected) => {
  const program = `
    const { createServer } = require('node:http'); const { context, propagation } = require('@opentelemetry/api'); const { active } = require('@curfew/context');
    const server = createServer(({ headers }, response) => response.end(JSON.stringify({
      sent: { traceparent: 'traceparent' in headers, baggage: 'baggage' in headers }, budget: active().remaining() <= 60_000 }))).listen(0, '127.0.0.1', async () => {
      const withBaggage = propagation.setBaggage(context.active(), propagation.createBaggage({ a: { value: 'b' } }));
      const headers = { 'x-request-timeout-ms': '60000' };
      const response = await context.with(withBaggage, () => fetch('http://127.0.0.1:' + server.address().port, { headers }));
      console.log(await response.text());
      server.close(); server.closeAllConnections();
    });`;
  const { stdout } = await run(program, {
    env: { OTEL_METRICS_EXPORTER: 'none', OTEL_PROPAGATORS: propagators },
  });
  expect(JSON.parse(stdout)).toEqual({ sent: expected, budget: true });
});

test.each([
  ['always_off', undefined, 0],
  ['ALWAYS_OFF', undefined, 0],
  ['traceidratio', '0', 0],
  ['traceidratio', '1', 1],
  ['parentbased_always_on', undefined, 1],
])('OTEL_TRACES_SAMPLER=%s with argument %s samples %i of 1', async (sampler, ratio, expected) => {
  const env = {
    ...CONSOLE,
    OTEL_TRACES_SAMPLER: sampler,
    ...(ratio === undefined ? {} : { OTEL_TRACES_SAMPLER_ARG: ratio }),
  };
  const { stdout } = await run(`require('@opentelemetry/api').trace.getTracer('t').startSpan('s').end()`, {
    env,
  });
  expect(stdout.match(/traceId/g) ?? []).toHaveLength(expected);
});

test('limits of spans are honoured', async () => {
  const program = `require('@opentelemetry/api').trace.getTracer('t').startSpan('s', { attributes: { a: 'long', b: 'x' } }).end()`;
  const env = { ...CONSOLE, OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT: '1', OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT: '2' };
  expect((await run(program, { env })).stdout).toContain("attributes: { a: 'lo' }");
});

test('CURFEW_OUTBOUND_HOSTS and CURFEW_REQUEST_TIMEOUT say who is told a budget, and the most there is', async () => {
  const program = `
    const { createServer } = require('node:http'); const { active, scope } = require('@curfew/context');
    const server = createServer(({ headers }, response) => response.end(JSON.stringify([headers['x-request-timeout-ms'] ?? null, active().remaining() <= 50_000]))).listen(0, '127.0.0.1', async () => {
      await scope({ timeout: 60_000 }, async () => console.log(await (await fetch('http://127.0.0.1:' + server.address().port)).text()));
      server.close(); server.closeAllConnections();
    });`;
  const env = { OTEL_METRICS_EXPORTER: 'none', CURFEW_REQUEST_TIMEOUT: '50000' };
  expect(JSON.parse((await run(program, { env })).stdout)).toEqual([expect.stringMatching(/^\d+$/), true]);
  expect(JSON.parse((await run(program, { env: { ...env, CURFEW_OUTBOUND_HOSTS: 'none' } })).stdout)).toEqual(
    [null, true],
  );
});

test('another SDK that was first keeps what it has, and one line for each part tells what to add', async () => {
  const program = `
    const { NodeTracerProvider } = require('@opentelemetry/sdk-trace-node');
    new NodeTracerProvider().register();
    require('@curfew/node').start();
    console.log('runs');`;
  const { stdout, stderr } = await run(program, { register: false });
  expect(stdout).toBe('runs\n');
  expect(linesOf(stderr)).toEqual([
    expect.stringContaining('handles trace; add'),
    expect.stringContaining('handles propagation; add'),
  ]);
});

test('a worker thread has its own telemetry, and leaves /metrics and signals to the main thread', async () => {
  const program = `
    const { Worker } = require('node:worker_threads');
    new Worker("require('@curfew/node').start().prometheus.then((url) => console.log('worker ' + url))", { eval: true });`;
  const { code, stdout, stderr } = await run(program, { env: { OTEL_EXPORTER_PROMETHEUS_PORT: '0' } });
  expect({ code, stdout }).toEqual({ code: 0, stdout: 'worker undefined\n' });
  expect(stderr).not.toContain('metrics endpoint');
});

test.each<[string, string, SpawnOptions['type']]>([
  ["require('pg')", `const pg = require('pg');`, 'commonjs'],
  ["import pg from 'pg'", `import pg from 'pg';`, 'module'],
  [
    "import { Client } from 'pg'",
    `import { Client, Pool } from 'pg'; const pg = { Client, Pool };`,
    'module',
  ],
  ["await import('pg')", `const { default: pg } = await import('pg');`, 'module'],
])('%s is covered when the application loads it', async (_, load, type) => {
  const program = `${load}; console.log(Symbol.for('@curfew/pg.wrapped.v1') in pg.Client.prototype.query, Symbol.for('@curfew/pg.wrapped.v1') in pg.Pool.prototype.query);`;
  const { stdout, stderr } = await run(program, { type: type! });
  expect(stderr).toBe('');
  expect(stdout).toBe('true true\n');
});

test('a service without a database loads nothing of @curfew/pg; one that loaded pg before start() is covered', async () => {
  const loaded = `console.log(Object.keys(require.cache).some((file) => file.includes('packages/pg/')))`;
  expect((await run(loaded)).stdout).toBe('false\n');
  const late = `const pg = require('pg'); require('@curfew/node').start(); console.log(Symbol.for('@curfew/pg.wrapped.v1') in pg.Client.prototype.query)`;
  expect((await run(late, { register: false })).stdout).toBe('true\n');
});

test.each([
  ['an empty stub', `{}`],
  ['a stub that has a Client alone', `{ Client: class {} }`],
  ['classes without a prototype', `{ Client: () => {}, Pool: () => {} }`],
  [
    'getters that throw',
    `{ get Client() { throw new Error('a getter') }, get Pool() { throw new Error('a getter') } }`,
  ],
  [
    'a proxy whose traps throw',
    `new Proxy({}, { has() { throw new Error('a trap') }, get() { throw new Error('a trap') } })`,
  ],
])('%s in the place of pg: the application requires it as without us', async (_, stub) => {
  const program = `
    const file = require.resolve('pg');
    const stub = ${stub};
    require.cache[file] = Object.assign(new (require('node:module'))(file), { exports: stub, loaded: true });
    console.log(require('pg') === stub, require('pg') === stub);`;
  const { code, stdout } = await run(program);
  expect({ code, stdout }).toEqual({ code: 0, stdout: 'true true\n' });
});
