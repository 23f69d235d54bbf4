import { endAll, launch, run } from './spawned';

afterEach(endAll);

const OFF = { OTEL_METRICS_EXPORTER: 'none', CURFEW_ENFORCE: 'off' };
const ON = { OTEL_METRICS_EXPORTER: 'none' };

describe.each([
  ['with the kill switch', OFF],
  ['without', ON],
])('%s', (_, env) => {
  test('a service that waits for notifyContext ends on SIGTERM', async () => {
    const program = `
      const { background, notifyContext, onEnd } = require('@curfew/context');
      const server = require('node:http').createServer().listen(0, () => console.log('ready'));
      const [ctx] = notifyContext(background(), 'SIGTERM');
      onEnd(ctx, () => { console.log('closing after ' + ctx.cause().signal); server.close(); });`;
    const app = launch(program, { env });
    await app.line(/^ready$/);
    app.process.kill('SIGTERM');
    expect(await app.ended).toEqual({
      code: 0,
      signal: null,
      stdout: 'ready\nclosing after SIGTERM\n',
      stderr: '',
    });
  });

  test('a service that does not listen dies of SIGTERM', async () => {
    const app = launch(`setInterval(() => {}, 1e9); console.log('ready');`, { env });
    await app.line(/^ready$/);
    app.process.kill('SIGTERM');
    expect(await app.ended).toMatchObject({ code: null, signal: 'SIGTERM' });
  });

  test('whatever the program itself ends is ended', async () => {
    const program = `
      const { background, group, scope, sleep, withCancel, withSignal, withTimeout } = require('@curfew/context');
      const { fetch } = require('@curfew/http');
      const nameOf = (work) => work.then(() => 'went on', (error) => error.name);
      const server = require('node:http').createServer(() => {}).listen(0, '127.0.0.1', async () => {
        const url = 'http://127.0.0.1:' + server.address().port;
        const [own, cancel] = withCancel(background());
        const told = [];
        told.push(nameOf(sleep(own, 60_000)));
        cancel(new Error('enough'));
        told.push(nameOf(sleep(withSignal(background(), AbortSignal.timeout(1))[0], 60_000)));
        told.push(nameOf(scope({ timeout: 20 }, (ctx) => sleep(ctx, 60_000))));
        told.push(nameOf(fetch(withTimeout(background(), 20)[0], url)));
        const [tasks, ctx] = group(background());
        told.push(nameOf(sleep(ctx, 60_000)));
        tasks.go(() => Promise.reject(new RangeError('the first one')));
        told.push(nameOf(tasks.wait()));
        console.log((await Promise.all(told)).join());
        server.close();
        server.closeAllConnections();
      });`;
    const { code, stdout, stderr } = await run(program, { env });
    expect(stderr).toBe('');
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: 'AbortError,TimeoutError,TimeoutError,TimeoutError,AbortError,RangeError\n',
    });
  });
});
