import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fromExposition } from './figures';
import { claimMetrics } from './metric-claims';
import { installOtel3 } from './otel-3-project';
import { setUpOf3x } from './readme';
import { startReceiver } from './received';
import { finish, type Installation } from './run-program';
import { claimSpans } from './span-claims';
import { claimTypes } from './type-claims';

// The 3.x line comes from the registry, so this cannot be part of `npm test`.
const installed = installOtel3();
const find = (): Installation => {
  if (installed === undefined) throw new Error('not installed');
  return installed;
};
afterAll(() => {
  if (installed !== undefined) rmSync(installed.dir, { recursive: true, force: true });
});

(installed === undefined ? describe.skip : describe)('on the 3.x line of OpenTelemetry,', () => {
  describe('spans:', () => claimSpans(find));
  describe('metrics:', () => claimMetrics(find));
  describe('types:', () => claimTypes(() => find().dir));

  /** A service that knows nothing of Curfew but one call, which is cut short; then it reads its own metrics. */
  const APP = `
    const { once } = require('node:events');
    const http = require('node:http');
    const { trace } = require('@opentelemetry/api');
    const { scope } = require('@curfew/context');
    const server = http.createServer((request, response) => response.once('close', () => server.emit('gone')));
    server.listen(0, '127.0.0.1', async () => {
      const gone = once(server, 'gone');
      const url = 'http://127.0.0.1:' + server.address().port;
      const error = await scope({ timeout: 1_000, name: 'price' }, () => fetch(url)).catch((error) => error.name);
      await gone;
      const text = await (await fetch('http://127.0.0.1:PORT/metrics')).text();
      await trace.getTracerProvider().getDelegate().shutdown();
      process.stdout.write(JSON.stringify({ error, text }), () => process.exit());
    });`;

  test("the README's set-up for this line marks spans, brings deadlines in and serves the figures", async () => {
    const { node, dir } = find();
    const port = String(await freePort());
    const setUp = join(dir, 'telemetry.cjs');
    const app = join(dir, 'app.cjs');
    writeFileSync(setUp, setUpOf3x().replaceAll('9464', port));
    writeFileSync(app, APP.replace('PORT', port));
    const receiver = await startReceiver();
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url };
    const { code, stdout, stderr } = await finish(node, ['--require', setUp, app], { cwd: dir, env });
    await receiver.close();
    expect([code, stderr]).toEqual([0, '']);
    const { error, text } = JSON.parse(stdout) as { error: string; text: string };
    expect(error).toBe('TimeoutError');
    expect(fromExposition(text)).toMatchObject({
      'curfew_context_ended_total{curfew_context_name=price,curfew_context_outcome=deadline_exceeded}': 1,
      'curfew_context_ended_total{curfew_context_name=http.server,curfew_context_outcome=deadline_exceeded}': 1,
      'curfew_propagation_inbound_total{curfew_propagation_outcome=ok,curfew_source=x-request-timeout-ms}': 1,
    });
    const marked = receiver.spans.filter(({ attributes }) => attributes['error.type'] === 'timeout');
    expect(marked.map(({ kind, status }) => `${kind} ${status}`).sort()).toEqual([
      'CLIENT ERROR',
      'SERVER ERROR',
    ]);
  });
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}
