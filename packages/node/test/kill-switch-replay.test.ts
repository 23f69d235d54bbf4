import { connect } from 'node:net';
import { startUpstreams, type Upstreams } from './recording-upstreams';
import { endAll, launch, type SpawnOptions } from './spawned';

afterEach(endAll);

/** The same SDK with the same instrumentations, and nothing of Curfew. */
const OPENTELEMETRY_ALONE = `
  const { NodeTracerProvider } = require('@opentelemetry/sdk-trace-node');
  new NodeTracerProvider().register();
  for (const [name, kind] of [['http', 'HttpInstrumentation'], ['undici', 'UndiciInstrumentation']])
    new (require('@opentelemetry/instrumentation-' + name)[kind])();`;

/** Asks by fetch, by http.get and in a query, one after the other, and answers with what came of it. */
const SERVICE = `
  const { scope } = require('@curfew/context');
  const http = require('node:http');
  const { Pool } = require('pg');
  const { WEB, DATABASE } = process.env;
  const pool = new Pool({ host: '127.0.0.1', port: Number(DATABASE), user: 'u', database: 'd', max: 1 });
  const server = http.createServer(async ({ url, headers }, response) => {
    const budget = headers['x-request-timeout-ms'];
    const forwarded = url.includes('forwards') ? { headers: { 'X-Request-Timeout-Ms': budget } } : {};
    const told = [];
    const within = url.includes('scoped') ? (work) => scope({ timeout: 60_000 }, work) : (work) => work();
    const tell = (name, work) => within(work).then((what) => told.push(name + ' ' + what), (error) => told.push(name + ' ' + error));
    await tell('fetch', () => fetch('http://127.0.0.1:' + WEB + url + '?by=fetch', forwarded).then((answer) => answer.text()));
    await tell('http', () => new Promise((resolve, reject) => http.get('http://127.0.0.1:' + WEB + url + '?by=http', forwarded, (answer) => answer.resume().on('end', () => resolve(answer.statusCode)).on('error', reject)).on('error', reject)));
    await tell('post', () => fetch('http://127.0.0.1:' + WEB + url + '?by=post', { method: 'POST', body: JSON.stringify({ url }), headers: { 'content-type': 'application/json' } }).then((answer) => answer.text()));
    await tell('put', () => new Promise((resolve, reject) => {
      const request = http.request({ port: WEB, method: 'PUT', path: url + '?by=put', headers: { 'X-Odd': ['1', '2'] }, agent: false });
      request.on('response', (answer) => answer.resume().on('end', () => resolve(answer.statusCode))).on('error', reject);
      request.write('two');
      request.end('parts');
    }));
    await tell('pg', () => pool.query("SELECT '" + url + "'").then(({ command }) => command));
    response.setHeader('x-late', 'set after all');
    response.end(told.join());
    console.log('done ' + url + ' ' + told);
  }).listen(0, '127.0.0.1', () => console.log('at ' + server.address().port));`;

/** A request: its path says what its upstreams do, its headers which budget it brings, `leaves` when its client hangs up. */
interface Round {
  readonly path: string;
  readonly headers: readonly string[];
  readonly leaves?: string;
}

const BUDGETS = ['0', '1', '50', '60000', 'nonsense'];
const ROUNDS: readonly Round[] = [
  { path: '/plain', headers: [] },
  { path: '/scoped', headers: [] },
  ...BUDGETS.flatMap((budget) =>
    ['fast', 'slow', 'forwards'].map((how) => ({
      path: `/${how}-${budget}`,
      headers: [`X-Request-Timeout-Ms: ${budget}`],
    })),
  ),
  ...['by=fetch', 'by=http', 'SELECT'].map((leaves) => ({
    path: `/slow-left-${leaves.replace('=', '-')}`,
    headers: [],
    leaves,
  })),
];

/** Plays every round against a service; what its clients and its upstreams were sent, and what it said itself. */
async function play(program: string, options: SpawnOptions, upstreams: Upstreams): Promise<unknown> {
  const env = {
    OTEL_METRICS_EXPORTER: 'none',
    CURFEW_ENFORCE: '0',
    WEB: String(upstreams.web),
    DATABASE: String(upstreams.database),
  };
  const app = launch(program, { ...options, env });
  const port = Number((await app.line(/^at (\d+)$/))[1]);
  const played = [];
  for (const round of ROUNDS) {
    const done = app.line(new RegExp(`^done ${round.path} (.*)$`));
    const answer = await ask(port, round, upstreams);
    const [, told] = await done;
    played.push({ ...round, answer, told, sent: upstreams.take() });
  }
  app.process.kill();
  expect((await app.ended).stderr).toBe('');
  return played;
}

/** The bytes of the answer, up to where the client leaves. */
function ask(port: number, { path, headers, leaves }: Round, upstreams: Upstreams): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect(port, '127.0.0.1', () => {
      if (leaves !== undefined) void upstreams.arrived(leaves).then(() => socket.destroy());
      socket.write(
        [`GET ${path} HTTP/1.1`, 'host: service', 'connection: close', ...headers, '', ''].join('\r\n'),
      );
    });
    socket.setEncoding('latin1').on('data', (bytes: string) => (answer += bytes));
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(answer.replace(/^Date: .*\r\n/m, '')));
  });
}

test('a service under the kill switch asks and answers as under OpenTelemetry alone, byte for byte', async () => {
  const upstreams = await startUpstreams();
  try {
    const alone = await play(`${OPENTELEMETRY_ALONE}${SERVICE}`, { register: false }, upstreams);
    const watched = await play(SERVICE, {}, upstreams);
    expect(watched).toEqual(alone);
    // The comparison would not see it if nothing had been asked, or no budget had come through.
    const sent = JSON.stringify(alone);
    expect(sent.match(/by=fetch HTTP/g)).toHaveLength(ROUNDS.length);
    expect(sent.match(/X-Request-Timeout-Ms: 50\\r/gi)?.length).toBeGreaterThan(1);
  } finally {
    await upstreams.close();
  }
});
