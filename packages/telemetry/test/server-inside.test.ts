import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

// In a process of its own, since OpenTelemetry's instrumentation patches node:http for good.

test.each([
  ['instrumented', 'without contexts of its requests'],
  ['planted', 'with one for each request'],
])('a server started inside a context, %s, %s, makes no later span a broken chain', (way) => {
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [join(__dirname, 'fixtures', 'server-inside.cjs'), way],
    { encoding: 'utf8', timeout: 20_000 },
  );
  expect(stderr).toBe('');
  expect(JSON.parse(stdout)).toEqual({
    requestsWhileLive: 0,
    // What really is one is seen there too.
    pollsWhileLive: 2,
    requestsAfterwards: 0,
    pollsAfterwards: 0,
    // Its connections, and all that its requests do, did run inside that context.
    inside: Array<boolean>(6).fill(true),
    spans: [6, 6, 6],
  });
});
