import type { ServerResponse } from 'node:http';
import { attributesOf, spansOf, startCollector, type Collector, type Export } from './collector';
import { endAll, launch, linesOf, run } from './spawned';

let collector: Collector;
beforeEach(async () => {
  collector = await startCollector();
});
afterEach(async () => {
  endAll();
  await collector.close();
});

/** So long that a test which waits for it fails. */
const NEVER = '600000';

const SPAN = `require('@opentelemetry/api').trace.getTracer('t').startSpan('work').end();`;
const METRICS = 'prometheus,otlp';
const JSON_ENV = () => ({
  OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
  OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
  OTEL_EXPORTER_PROMETHEUS_PORT: '0',
});

const ofTraces = ({ path }: Export) => path.endsWith('/v1/traces');
const ofMetrics = ({ path }: Export) => path.endsWith('/v1/metrics');

test('no request is held by the batch that it began, nor by the connection that its export opened', async () => {
  const program = `
    const { AsyncLocalStorage } = require('node:async_hooks'); const { scope } = require('@curfew/context');
    const { start } = require('@curfew/node'); const tracer = require('@opentelemetry/api').trace.getTracer('test');
    const storage = new AsyncLocalStorage(); const held = new Set();
    const freed = new FinalizationRegistry((name) => held.delete(name));
    const watch = (what, name) => { held.add(name); freed.register(what, name); };
    async function request(name, work) {
      const store = {};
      watch(store, 'the store of ' + name);
      await storage.run(store, () => scope({ name }, async (ctx) => {
        watch(ctx, 'the context of ' + name);
        tracer.startSpan('span').end();
        await work();
      }));
    }
    (async () => {
      await request('whoever has it sent', () => start().flush());
      await request('whoever begins a batch', async () => {});
      for (let turn = 0; turn < 50 && held.size > 0; turn++) { await new Promise((resolve) => setTimeout(resolve, 5)); gc(); }
      console.log('held: ' + [...held]);
      process.exit();
    })();`;
  const { stdout } = await run(program, {
    env: {
      OTEL_METRICS_EXPORTER: 'none',
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_BSP_SCHEDULE_DELAY: '600000',
    },
    flags: ['--expose-gc'],
  });
  expect(collector.exports).not.toEqual([]);
  expect(stdout).toBe('held: \n');
});

test('traces and metrics arrive in http/json when an endpoint is set, flushed as the process ends', async () => {
  const env = {
    ...JSON_ENV(),
    OTEL_SERVICE_NAME: 'orders',
    OTEL_RESOURCE_ATTRIBUTES: 'service.name=no,a=b',
    OTEL_BSP_SCHEDULE_DELAY: NEVER,
  };
  const { code, stderr } = await run(SPAN, { env });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(collector.exports.map(({ path }) => path).sort()).toEqual(['/v1/metrics', '/v1/traces']);
  expect(spansOf(collector.exports).map(({ name }) => name)).toEqual(['work']);
  for (const request of collector.exports) {
    expect(request.headers['content-type']).toBe('application/json');
    const { resourceSpans, resourceMetrics } = request.json();
    expect(attributesOf((resourceSpans ?? resourceMetrics)[0].resource)).toMatchObject({
      'service.name': 'orders',
      a: 'b',
      'telemetry.distro.name': '@curfew/node',
    });
  }
});

test("metrics over OTLP are Curfew's and the instrumentations', by their own names", async () => {
  const program = `
    const { createServer } = require('node:http');
    const server = createServer((_, response) => response.end()).listen(0, '127.0.0.1', async () => {
      await (await fetch('http://127.0.0.1:' + server.address().port)).text();
      server.close(); server.closeAllConnections();
    });`;
  await run(program, { env: JSON_ENV() });
  const [request] = collector.exports.filter(ofMetrics);
  const names = request!
    .json()
    .resourceMetrics[0].scopeMetrics.flatMap((scope: any) => scope.metrics.map(({ name }: any) => name));
  expect(names).toEqual(
    expect.arrayContaining([
      'curfew.context.duration',
      'http.server.request.duration',
      'http.client.request.duration',
    ]),
  );
  // The exports themselves are no requests of the service.
  expect(spansOf(collector.exports)).toHaveLength(2);
});

test('http/protobuf is the default, and gzip and headers are honoured', async () => {
  const env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: `${collector.url}/base/`,
    OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip',
    OTEL_EXPORTER_OTLP_HEADERS: 'x-key=a%20b',
    OTEL_METRICS_EXPORTER: 'none',
    OTEL_SERVICE_NAME: 'orders',
  };
  await run(SPAN, { env });
  expect(collector.exports).toHaveLength(1);
  const [{ path, headers, body }] = collector.exports as [Export];
  expect(path).toBe('/base/v1/traces');
  expect(headers).toMatchObject({
    'content-type': 'application/x-protobuf',
    'content-encoding': 'gzip',
    'x-key': 'a b',
  });
  // Field 1, length-delimited: the first ResourceSpans of an ExportTraceServiceRequest.
  expect(body[0]).toBe(0x0a);
  for (const text of ['service.name', 'orders', 'work']) expect(body.includes(text)).toBe(true);
});

test('an endpoint of one signal is used as it is, and turns on that signal alone', async () => {
  const env = {
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${collector.url}/here`,
    OTEL_EXPORTER_PROMETHEUS_PORT: '0',
  };
  await run(SPAN, { env });
  expect(collector.exports.map(({ path }) => path)).toEqual(['/here']);
});

test.each([
  ['OTEL_TRACES_EXPORTER', ['/v1/metrics']],
  ['OTEL_METRICS_EXPORTER', ['/v1/traces']],
])('%s=none keeps one signal at home', async (name, expected) => {
  await run(SPAN, { env: { ...JSON_ENV(), [name]: 'none' } });
  expect(collector.exports.map(({ path }) => path)).toEqual(expected);
});

test('spans leave in batches: OTEL_BSP_MAX_EXPORT_BATCH_SIZE, OTEL_BSP_SCHEDULE_DELAY', async () => {
  const program = `const tracer = require('@opentelemetry/api').trace.getTracer('t');
    for (let i = 0; i < 3; i++) tracer.startSpan('work').end();
    setInterval(() => {}, 1e9);`;
  const env = {
    ...JSON_ENV(),
    OTEL_METRICS_EXPORTER: 'none',
    OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '2',
    OTEL_BSP_SCHEDULE_DELAY: '1',
  };
  launch(program, { env });
  await collector.received(() => spansOf(collector.exports).length === 3);
  expect(collector.exports.map((request) => spansOf([request]).length)).toEqual([2, 1]);
});

test('metrics leave by OTEL_METRIC_EXPORT_INTERVAL, in the temporality asked for', async () => {
  const program = `
    const { background, withCancel } = require('@curfew/context');
    const [, cancel] = withCancel(background(), { name: 'job' }); cancel();
    setInterval(() => {}, 1e9);`;
  const env = {
    ...JSON_ENV(),
    OTEL_METRICS_EXPORTER: METRICS,
    OTEL_METRIC_EXPORT_INTERVAL: '50',
    OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: 'delta',
  };
  launch(program, { env });
  await collector.received(() => collector.exports.filter(ofMetrics).length === 2);
  const ended = collector.exports.filter(ofMetrics).map((request) =>
    request
      .json()
      .resourceMetrics[0].scopeMetrics.flatMap((scope: any) => scope.metrics)
      .find(({ name }: any) => name === 'curfew.context.ended'),
  );
  // 1 is DELTA.
  expect(ended.map(({ sum }) => [sum.aggregationTemporality, sum.dataPoints[0].asDouble])).toEqual([
    [1, 1],
    [1, 0],
  ]);
});

test('no delta is lost to an export that is still on its way', async () => {
  await collector.close();
  collector = await startCollector((response, count) => {
    if (count > 1) response.end();
  });
  const program = `
    const { background, withCancel } = require('@curfew/context');
    process.on('SIGUSR2', () => withCancel(background(), { name: 'job' })[1]());
    setInterval(() => {}, 1e9); console.log('ready');`;
  const env = {
    ...JSON_ENV(),
    OTEL_METRICS_EXPORTER: 'otlp',
    OTEL_METRIC_EXPORT_INTERVAL: '50',
    OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: 'delta',
  };
  const app = launch(program, { env });
  // The first one is never answered.
  await Promise.all([app.line(/^ready$/), collector.received(ofMetrics)]);
  app.process.kill('SIGUSR2');
  await collector.received((request) => endedIn(request) === 1);
});

test('an export that fills its batch within a request is not cancelled with it', async () => {
  const program = `
    const { background, withCancel } = require('@curfew/context'); const { context, trace } = require('@opentelemetry/api');
    const [ctx, cancel] = withCancel(background());
    context.with(ctx, () => trace.getTracer('t').startSpan('work').end());
    cancel(new Error('gone'));
    setInterval(() => {}, 1e9);`;
  launch(program, {
    env: { ...JSON_ENV(), OTEL_METRICS_EXPORTER: 'none', OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '1' },
  });
  await collector.received(
    (request) => ofTraces(request) && spansOf([request]).some(({ name }) => name === 'work'),
  );
});

/** How many contexts have ended, by an export of metrics. */
function endedIn(request: Export): number {
  const metric = request
    .json()
    .resourceMetrics[0].scopeMetrics.flatMap((scope: any) => scope.metrics)
    .find(({ name }: any) => name === 'curfew.context.ended');
  return metric === undefined
    ? 0
    : metric.sum.dataPoints.reduce((sum: number, { asDouble }: any) => sum + asDouble, 0);
}

describe('a Collector that is not there', () => {
  const unreachable = {
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9',
    OTEL_EXPORTER_PROMETHEUS_PORT: '0',
  };

  test('is told in one line for each signal, without a stack, and holds nobody up', async () => {
    const env = { ...unreachable, CURFEW_SHUTDOWN_TIMEOUT: NEVER, OTEL_EXPORTER_OTLP_TIMEOUT: NEVER };
    const { code, stderr } = await run(SPAN, { env });
    expect(code).toBe(0);
    const line = (signal: string) =>
      `WARN curfew: ${signal} do not reach http://127.0.0.1:9/v1/${signal} (connect ECONNREFUSED 127.0.0.1:9); the service goes on, and they are dropped until then`;
    expect(linesOf(stderr).sort()).toEqual([line('metrics'), line('traces')]);
  });

  test('is told once, however often it is tried', async () => {
    const program = `const tracer = require('@opentelemetry/api').trace.getTracer('t');
      const { flush } = require('@curfew/node').start();
      (async () => { for (let i = 0; i < 5; i++) { tracer.startSpan('work').end(); await flush(); } })();`;
    const { stderr } = await run(program, { env: { ...unreachable, OTEL_METRICS_EXPORTER: 'none' } });
    expect(linesOf(stderr).filter((line) => line.includes('do not reach'))).toHaveLength(1);
  });
});

describe('a Collector that accepts and never answers', () => {
  beforeEach(async () => {
    await collector.close();
    collector = await startCollector(() => undefined);
  });

  test('does not hold a process that has nothing left to do', async () => {
    // The export is on its way when the work is done, and the flush gives it up at its limit.
    const env = {
      ...JSON_ENV(),
      OTEL_BSP_SCHEDULE_DELAY: '1',
      OTEL_EXPORTER_OTLP_TIMEOUT: NEVER,
      CURFEW_SHUTDOWN_TIMEOUT: '50',
    };
    const app = launch(
      `${SPAN} process.on('SIGUSR2', () => clearInterval(work)); const work = setInterval(() => {}, 1e9);`,
      { env },
    );
    await collector.received(ofTraces);
    app.process.kill('SIGUSR2');
    expect((await app.ended).code).toBe(0);
  });

  test('is given no more than the queue holds, and told to be slow', async () => {
    const program = `const tracer = require('@opentelemetry/api').trace.getTracer('t');
      const timer = setInterval(() => tracer.startSpan('work').end(), 1);`;
    const env = {
      ...JSON_ENV(),
      OTEL_METRICS_EXPORTER: 'none',
      OTEL_BSP_MAX_QUEUE_SIZE: '2',
      OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '1',
      OTEL_EXPORTER_OTLP_TIMEOUT: NEVER,
    };
    const app = launch(program, { env });
    await app.line(/traces do not reach .* \(it answers too slowly\)/);
    await collector.received(() => collector.exports.length === 2);
    app.process.kill('SIGKILL');
    await app.ended;
    expect(collector.exports).toHaveLength(2);
  });

  test('does not hold shutdown(), which resolves in an ES module that awaits it and leaves nothing behind', async () => {
    const program = `
      import { start } from '@curfew/node';
      import { trace } from '@opentelemetry/api';
      trace.getTracer('t').startSpan('work').end();
      const curfew = start();
      await Promise.all([curfew.shutdown(), curfew.shutdown(), curfew.flush()]);
      console.log('down');`;
    const env = { ...JSON_ENV(), OTEL_EXPORTER_OTLP_TIMEOUT: NEVER, CURFEW_SHUTDOWN_TIMEOUT: '50' };
    const { code, stdout } = await run(program, { env, type: 'module' });
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'down\n' });
  });
});

test('an export that waits for a connection is not told as one that finds none', async () => {
  await collector.close();
  const held: ServerResponse[] = [];
  collector = await startCollector((response, count) => {
    // The four that there may be at once are answered after what connecting may take; the fifth waits for that long.
    if (count <= 4) held.push(response);
    else response.end();
    if (count === 4) setTimeout(() => held.forEach((each) => each.end()), 2_300);
  });
  const program = `const tracer = require('@opentelemetry/api').trace.getTracer('t');
    for (let i = 0; i < 5; i++) tracer.startSpan('work').end();
    require('@curfew/node').start().flush().then(() => console.log('flushed'));`;
  const env = {
    ...JSON_ENV(),
    OTEL_METRICS_EXPORTER: 'none',
    OTEL_BSP_MAX_QUEUE_SIZE: '5',
    OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '1',
    CURFEW_SHUTDOWN_TIMEOUT: '60000',
  };
  const { stdout, stderr } = await run(program, { env });
  expect({ stdout, stderr, exports: collector.exports.length }).toEqual({
    stdout: 'flushed\n',
    stderr: expect.not.stringContaining('no connection') as string,
    exports: 5,
  });
});

test('a Collector that refuses for the moment gets the same export again', async () => {
  await collector.close();
  collector = await startCollector((response, count) => {
    response.writeHead(count === 1 ? 503 : 200, count === 1 ? { 'retry-after': '0.001' } : {}).end();
  });
  const env = { ...JSON_ENV(), OTEL_METRICS_EXPORTER: 'none', OTEL_BSP_SCHEDULE_DELAY: '1' };
  launch(`${SPAN} setInterval(() => {}, 1e9);`, { env });
  await collector.received(() => collector.exports.length === 2);
  const [first, second] = collector.exports;
  expect(second!.body).toEqual(first!.body);
});

test('what a Collector refuses for good is told, and not sent again', async () => {
  await collector.close();
  collector = await startCollector((response) => response.writeHead(400).end());
  const { stderr } = await run(SPAN, { env: { ...JSON_ENV(), OTEL_METRICS_EXPORTER: 'none' } });
  expect(collector.exports).toHaveLength(1);
  expect(stderr).toContain('HTTP status 400');
});

test('what a Collector takes in part is told in its own words', async () => {
  await collector.close();
  collector = await startCollector((response) =>
    response.end(JSON.stringify({ partialSuccess: { rejectedSpans: 1, errorMessage: 'too old' } })),
  );
  const { stderr } = await run(SPAN, { env: { ...JSON_ENV(), OTEL_METRICS_EXPORTER: 'none' } });
  expect(stderr).toBe('WARN curfew: the Collector refused some traces: too old\n');
});

test('a certificate that cannot be read is told, and export goes on without it', async () => {
  const env = {
    ...JSON_ENV(),
    OTEL_METRICS_EXPORTER: 'none',
    OTEL_EXPORTER_OTLP_CERTIFICATE: '/nowhere.pem',
  };
  const { stderr } = await run(SPAN, { env });
  expect(linesOf(stderr)).toEqual([
    expect.stringMatching(/OTEL_EXPORTER_OTLP_CERTIFICATE.*"\/nowhere\.pem" cannot be read \(ENOENT\)/),
  ]);
  expect(collector.exports).toHaveLength(1);
});
