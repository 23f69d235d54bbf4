import { endAll, linesOf, run } from './spawned';

afterEach(endAll);

/** A handler awaits a call without a catch, its client hangs up meanwhile, and the callee takes its time. */
const SERVICE = `
  const { createServer, get } = require('node:http');
  const on = (server, then) => server.listen(0, '127.0.0.1', () => then('http://127.0.0.1:' + server.address().port));
  const callee = createServer((_, response) => {
    client.destroy();
    setTimeout(() => { response.end('late'); setTimeout(() => { console.log('lives'); process.exit(); }, 200); }, 100);
  });
  let client;
  on(callee, (url) => {
    const server = createServer(async () => console.log('it said ' + (await (await fetch(url)).text())));
    on(server, (own) => { client = get(own).on('error', () => {}); });
  });`;

const QUIET = { OTEL_METRICS_EXPORTER: 'none' };
const start = (options: string) => `require('@curfew/node').start(${options});${SERVICE}`;

test('an error of a call that was ended with its request, and that nobody handles, ends no process and is told once', async () => {
  const { code, stdout, stderr } = await run(SERVICE, { env: QUIET });
  expect({ code, stdout }).toEqual({ code: 0, stdout: 'lives\n' });
  expect(linesOf(stderr)).toEqual([expect.stringMatching(/^WARN curfew: nobody handled the error/)]);
});

test.each([
  ['CURFEW_GUARD=0', SERVICE, { env: { ...QUIET, CURFEW_GUARD: '0' } }],
  ['start({ guard: false })', start('{ guard: false }'), { env: QUIET, register: false }],
])('%s lets such a call run on to its end', async (_, program, options) => {
  expect(await run(program, options)).toEqual({
    code: 0,
    signal: null,
    stdout: 'it said late\nlives\n',
    stderr: '',
  });
});

test('start({ guard: true }) comes before CURFEW_GUARD=0', async () => {
  const env = { ...QUIET, CURFEW_GUARD: '0' };
  const { code, stdout } = await run(start('{ guard: true }'), { env, register: false });
  expect({ code, stdout }).toEqual({ code: 0, stdout: 'lives\n' });
});

test('a value of CURFEW_GUARD that means nothing is told, and the guard stays', async () => {
  const { stdout, stderr } = await run(SERVICE, { env: { ...QUIET, CURFEW_GUARD: 'never' } });
  expect(stdout).toBe('lives\n');
  expect(linesOf(stderr)[0]).toMatch(/^WARN curfew: CURFEW_GUARD: "never" is not valid/);
});
