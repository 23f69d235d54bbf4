import { attributesOf, spansOf, startCollector, type Collector } from './collector';
import { endAll, launch, run } from './spawned';

let collector: Collector;
let env: Record<string, string>;
beforeEach(async () => {
  collector = await startCollector();
  env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    OTEL_METRICS_EXPORTER: 'none',
    OTEL_BSP_SCHEDULE_DELAY: '600000',
  };
});
afterEach(async () => {
  endAll();
  await collector.close();
});

const SPAN = `require('@opentelemetry/api').trace.getTracer('t').startSpan('work').end();`;
const WAITS = `${SPAN} setInterval(() => {}, 1e9); console.log('waits');`;

test.each(['SIGTERM', 'SIGINT'] as const)(
  '%s: what is recorded arrives, and the process dies of the signal as it would have',
  async (signal) => {
    const app = launch(WAITS, { env });
    await app.line(/^waits$/);
    app.process.kill(signal);
    expect(await app.ended).toMatchObject({ code: null, signal, stderr: '' });
    expect(spansOf(collector.exports).map(({ name }) => name)).toEqual(['work']);
  },
);

test('SIGTERM: a Collector that never answers holds the process no longer than the limit', async () => {
  await collector.close();
  collector = await startCollector(() => undefined);
  const app = launch(WAITS, {
    env: { ...env, OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, CURFEW_SHUTDOWN_TIMEOUT: '50' },
  });
  await app.line(/^waits$/);
  app.process.kill('SIGTERM');
  expect((await app.ended).signal).toBe('SIGTERM');
});

test('a second SIGTERM ends the process at once', async () => {
  await collector.close();
  collector = await startCollector(() => undefined);
  const app = launch(WAITS, {
    env: { ...env, OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, CURFEW_SHUTDOWN_TIMEOUT: '600000' },
  });
  await app.line(/^waits$/);
  app.process.kill('SIGTERM');
  await collector.received(() => true);
  app.process.kill('SIGTERM');
  expect((await app.ended).signal).toBe('SIGTERM');
});

test('an application that listens to SIGTERM decides how the process ends', async () => {
  const program = `${WAITS} process.on('SIGTERM', () => {
    console.log('listeners', process.listenerCount('SIGTERM'));
    require('@curfew/node').start().shutdown().then(() => process.exit(3));
  });`;
  const app = launch(program, { env });
  await app.line(/^waits$/);
  app.process.kill('SIGTERM');
  expect(await app.ended).toMatchObject({ code: 3, signal: null });
  expect(spansOf(collector.exports)).toHaveLength(1);
});

test('an application that ignores SIGTERM goes on, is told of it once, and what is recorded arrives', async () => {
  const program = `${WAITS}
    process.on('SIGUSR2', () => console.log('signals ' + signals));
    let signals = 0;
    process.on('SIGTERM', () => {
      signals++;
      // A turn later, whatever else the end of the flush raised has been raised.
      const ask = () => process.kill(process.pid, 'SIGUSR2');
      require('@curfew/node').start().flush().then(() => setImmediate(ask));
    });`;
  const app = launch(program, { env });
  await app.line(/^waits$/);
  app.process.kill('SIGTERM');
  await app.line(/^signals 1$/);
  expect(app.process.exitCode).toBeNull();
  expect(spansOf(collector.exports)).toHaveLength(1);
});

test('work that another listener of beforeExit begins is recorded too', async () => {
  const program = `process.once('beforeExit', () => setImmediate(() => { ${SPAN} require('@curfew/node').start().flush(); }));`;
  expect((await run(program, { env })).code).toBe(0);
  expect(spansOf(collector.exports)).toHaveLength(1);
});

test.each<[string, string, string]>([
  [
    'by SIGTERM',
    `process.kill(process.pid, 'SIGTERM'); process.on('SIGTERM', () => setImmediate(close));`,
    'shutdown',
  ],
  [
    'by SIGINT',
    `process.kill(process.pid, 'SIGINT'); process.on('SIGINT', () => setImmediate(close));`,
    'shutdown',
  ],
  ['by shutdown()', `start().shutdown(); close();`, 'shutdown'],
  ['for reasons of its own', `close();`, 'caller'],
])('a service that closes its connections %s', async (_, act, origin) => {
  const program = `
    const { createServer, get } = require('node:http'); const { active, onEnd } = require('@curfew/context');
    const { nodeOf } = require('@curfew/context/spi'); const { start } = require('@curfew/node');
    const close = () => { server.close(); server.closeAllConnections(); };
    const server = createServer(() => {
      const ctx = active();
      onEnd(ctx, () => { console.log('ended by ' + nodeOf(ctx).ending.origin); process.exit(); });
      ${act}
    }).listen(0, '127.0.0.1', () => get('http://127.0.0.1:' + server.address().port).on('error', () => {}));`;
  expect((await run(program, { env: { OTEL_METRICS_EXPORTER: 'none' } })).stdout).toBe(
    `ended by ${origin}\n`,
  );
});

test('a client that hangs up is seen in traces and metrics, without a change of the service', async () => {
  const program = `
    const { createServer, get } = require('node:http'); const { active } = require('@curfew/context'); const { start } = require('@curfew/node');
    const server = createServer((_, response) => {
      const { signal } = active();
      signal.onabort = () => {
        console.log('aborted: ' + signal.reason.name);
        server.close();
        const { points } = start().telemetry.snapshot().get('curfew.context.cancellations');
        console.log(JSON.stringify(points.map(({ attributes, value }) => [attributes['curfew.cancel.origin'], value])));
      };
      call.destroy();
    }).listen(0, '127.0.0.1', () => { call = get('http://127.0.0.1:' + server.address().port).on('error', () => {}); });
    let call;`;
  const { code, stdout } = await run(program, { env });
  expect(code).toBe(0);
  expect(stdout).toBe('aborted: AbortError\n[["client_disconnect",1]]\n');
  const server = spansOf(collector.exports).find(({ kind }) => kind === 2);
  expect(attributesOf(server)).toMatchObject({
    'curfew.cancel.reason': 'canceled',
    'curfew.cancel.origin': 'client_disconnect',
  });
  expect(spansOf(collector.exports).map(({ name }) => name)).toContain('curfew.cancel');
});
