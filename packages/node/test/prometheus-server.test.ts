import { connect } from 'node:net';
import { endAll, launch, type Spawned } from './spawned';

/** It counts how often it is collected. */
const SERVICE = `
  setInterval(() => {}, 1e9);
  let collections = 0;
  require('@opentelemetry/api').metrics.getMeter('test').createObservableCounter('collections').addCallback((result) => result.observe(++collections));
  require('@curfew/node').start().prometheus.then((url) => console.log('at ' + new URL(url).port));`;

let app: Spawned;
let port: number;
beforeAll(async () => {
  app = launch(SERVICE, { env: { OTEL_EXPORTER_PROMETHEUS_PORT: '0' } });
  port = Number((await app.line(/^at (\d+)$/))[1]);
});
afterAll(endAll);

/** What comes back for these bytes, until the other side closes. */
function exchange(bytes: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    socket.setEncoding('latin1').on('data', (text: string) => (answer += text));
    // A reset is an answer too.
    socket.on('error', () => undefined).on('close', () => resolve(answer));
  });
}

const head = (line: string, ...headers: string[]) =>
  [line, 'host: x', 'connection: close', ...headers, '', ''].join('\r\n');

test.each<[string, string, number | 'closed']>([
  ['no path at all', head('GET // HTTP/1.1'), 404],
  ['half an address', head('GET http://[ HTTP/1.1'), 404],
  ['an address with a port that is none', head('GET http://x:99999/metrics HTTP/1.1'), 200],
  ['the path behind an authority', head('GET //metrics/metrics HTTP/1.1'), 404],
  ['a longer path', head('GET /metrics/ HTTP/1.1'), 404],
  ['another path that begins so', head('GET /metricsand HTTP/1.1'), 404],
  ['a percent sign that encodes nothing', head('GET /%zz HTTP/1.1'), 404],
  ['backslashes', head('GET /\\\\metrics HTTP/1.1'), 404],
  ['a query', head('GET /metrics?format=x HTTP/1.1'), 200],
  ['the absolute form', head('GET HTTP://prometheus.example/metrics HTTP/1.1'), 200],
  ['HEAD', head('HEAD /metrics HTTP/1.1'), 200],
  ['POST', head('POST /metrics HTTP/1.1', 'content-length: 0'), 405],
  ['a body that never comes', head('POST /metrics HTTP/1.1', 'content-length: 10'), 405],
  ['OPTIONS *', head('OPTIONS * HTTP/1.1'), 404],
  ['CONNECT', head('CONNECT metrics:443 HTTP/1.1'), 'closed'],
  ['an upgrade', head('GET /metrics HTTP/1.1', 'upgrade: websocket').replace('close', 'upgrade'), 'closed'],
  ['an expectation', head('GET /metrics HTTP/1.1', 'expect: nonsense'), 417],
  ['headers without an end', head('GET /metrics HTTP/1.1', `x: ${'x'.repeat(100_000)}`), 431],
  ['what is no HTTP', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
  ['a NUL', 'GET /\0 HTTP/1.1\r\n\r\n', 400],
])('%s is answered, and the service lives on', async (_, bytes, expected) => {
  // An answer that leaves the connection open is closed by a second request.
  const answer = await exchange(expected === 'closed' ? `${bytes}${head('GET /nothing HTTP/1.1')}` : bytes);
  if (expected !== 'closed') expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${expected} `));
  expect(await exchange(head('GET /metrics HTTP/1.1'))).toMatch(/^HTTP\/1\.1 200 .*target_info/s);
  expect(app.process.exitCode).toBeNull();
});

test('a scraper that leaves before its answer, and one that sends half a request, harm nobody', async () => {
  const leave = (bytes: string) =>
    new Promise<void>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.write(bytes, () => socket.resetAndDestroy());
        resolve();
      });
    });
  for (let round = 0; round < 50; round++) await leave(head('GET /metrics HTTP/1.1'));
  await leave('GET /metr');
  expect(await exchange(head('GET /metrics HTTP/1.1'))).toContain('target_info');
});

test('a thousand scrapes at once are served by a few collections', async () => {
  const pipelined = `GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n`.repeat(1_000);
  const answers = await exchange(`${pipelined}${head('GET /metrics HTTP/1.1')}`);
  expect(answers.match(/HTTP\/1\.1 200 /g)).toHaveLength(1_001);
  expect(
    Number(/^collections_total\{.*\} (\d+)$/m.exec(answers.slice(answers.lastIndexOf('HTTP/1.1')))?.[1]),
  ).toBeLessThan(100);
});

test('nothing of it was told, made a context or ended the service', async () => {
  const metrics = await exchange(head('GET /metrics HTTP/1.1'));
  expect(metrics).not.toMatch(/http_server|curfew_propagation_inbound/);
  app.process.kill();
  expect(await app.ended).toMatchObject({
    signal: 'SIGTERM',
    stderr: expect.stringMatching(/^WARN curfew: started already.*\n$/) as string,
  });
});
