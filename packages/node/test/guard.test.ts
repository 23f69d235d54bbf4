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

test('a handler that ends its own call where its response closes, as it does at our 504, and has no catch, lives', async () => {
  const program = `
    const { createServer, get } = require('node:http');
    const callee = createServer(() => {}).listen(0, '127.0.0.1', () => {
      const server = createServer(async (_, response) => {
        const own = new AbortController();
        response.on('close', () => own.abort());
        await fetch('http://127.0.0.1:' + callee.address().port, { signal: own.signal });
      }).listen(0, '127.0.0.1', () => {
        get({ port: server.address().port, headers: { 'x-request-timeout-ms': '50' } }, (answer) => {
          console.log(answer.resume().statusCode);
          setTimeout(() => { console.log('lives'); process.exit(); }, 200);
        });
      });
    });`;
  const { code, stdout } = await run(program, { env: QUIET });
  expect({ code, stdout }).toEqual({ code: 0, stdout: '504\nlives\n' });
});

test('a service that a callee answers 504, because it was told how long it has, and that has no catch, lives', async () => {
  const program = `
    const { createServer, get } = require('node:http');
    const callee = createServer(() => {}).listen(0, '127.0.0.1', () => {
      const server = createServer(async () => {
        const answer = await fetch('http://127.0.0.1:' + callee.address().port);
        if (!answer.ok) throw new Error('it said ' + answer.status);
      }).listen(0, '127.0.0.1', async () => {
        const ask = () => new Promise((resolve) => get(
          { port: server.address().port, headers: { 'x-request-timeout-ms': '50' } },
          (answer) => answer.resume().on('end', resolve)));
        for (let i = 0; i < 10; i++) await Promise.all([ask(), ask(), ask()]);
        setTimeout(() => { console.log('lives'); process.exit(); }, 200);
      });
    });`;
  const { code, stdout } = await run(program, { env: QUIET });
  expect({ code, stdout }).toEqual({ code: 0, stdout: 'lives\n' });
});
