import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

describe.each(['inner', 'outer'])(
  "beside OpenTelemetry's own instrumentations, with ours as the %s patch",
  (order) => {
    test('both headers go out, a hang-up reaches the last server, and every call has its span', async () => {
      const { stdout, stderr } = await run(process.execPath, [join(__dirname, 'fixtures/stock.cjs'), order]);
      expect(stderr).toBe('');
      const out = JSON.parse(stdout) as Record<string, unknown>;
      expect(out['told']).toEqual([
        { path: '/fetch', traced: true, budget: true },
        { path: '/get', traced: true, budget: true },
        { path: '/silent', traced: true, budget: false },
      ]);
      expect(out['failure']).toEqual(['ECONNRESET', 'context canceled', 'client disconnected']);
      // The end is told while the SERVER span is open, so that it can be marked.
      expect(out['recordingAtEnd']).toBe(true);
      expect((out['spans'] as string[]).sort()).toEqual(
        ['/both', '/fetch', '/get', '/silent', '/silent']
          .flatMap((path) => [`client ${path}`, `server ${path}`])
          .sort(),
      );
    });
  },
);

test('importing the package changes nothing and keeps no process alive', async () => {
  const script = `
    const before = [require('node:http').request, require('node:https').get, globalThis.fetch];
    require('@curfew/http');
    const after = [require('node:http').request, require('node:https').get, globalThis.fetch];
    process.stdout.write(String(before.every((each, i) => each === after[i])));`;
  const { stdout } = await run(process.execPath, ['-e', script], { cwd: __dirname });
  expect(stdout).toBe('true');
});

test('a handler that writes after our 504 does not crash its process', async () => {
  const script = `
    const { wrapListener, requestContext } = require('@curfew/http');
    const server = require('node:http').createServer(wrapListener((request, response) => {
      requestContext(request).signal.addEventListener('abort', () => setImmediate(() => {
        response.writeHead(200, { 'x-late': '1' });
        response.write('late');
        response.end('late');
        setImmediate(() => { response.setHeader('x', 'y'); server.close(); server.closeAllConnections(); });
      }));
    }));
    server.listen(0, '127.0.0.1', async () => {
      const url = 'http://127.0.0.1:' + server.address().port;
      const answer = await fetch(url, { headers: { 'x-request-timeout-ms': '20' } });
      process.stdout.write(String(answer.status));
    });`;
  const { stdout } = await run(process.execPath, ['-e', script], { cwd: __dirname });
  expect(stdout).toBe('504');
});

test('our 504 is one 504, and then, to the client, the listeners, the SERVER span and its duration', async () => {
  const { stdout, stderr } = await run(process.execPath, [join(__dirname, 'fixtures/one-504.cjs')]);
  expect(stderr).toBe('');
  expect(JSON.parse(stdout)).toEqual({
    client: 504,
    listeners: ['finish 504', 'close 504'],
    // The CLIENT span too: both had ended by the time that the handler answered.
    spansWhenHandled: 2,
    spans: [504],
    durations: [[504, 1, true]],
  });
});
