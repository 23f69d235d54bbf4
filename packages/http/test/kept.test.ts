import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

interface Left {
  readonly requests: number;
  readonly spans: { readonly started: number; readonly ended: number };
  readonly kept: Readonly<Record<string, number>>;
}

// Counted exactly, by the engine itself, in a process of its own: the counts are the same for any number of requests.
const REQUESTS = Number(process.env['CURFEW_KEPT_REQUESTS'] ?? 480);

async function left(way: string): Promise<Left> {
  const { stdout } = await run(process.execPath, [
    join(__dirname, 'fixtures', 'kept.cjs'),
    way,
    String(REQUESTS),
  ]);
  return JSON.parse(stdout) as Left;
}

const NOTHING = { responses: 0, contexts: 0, operations: 0, orphans: 0, open: 0, timers: 0 };

test('of pipelined requests whose client abandons them nothing is left, no orphan either, and every span has ended', async () => {
  expect(await left('abandoned')).toEqual({
    requests: REQUESTS,
    spans: { started: REQUESTS, ended: REQUESTS },
    kept: NOTHING,
  });
});

test('connections that stay open, and timers that a request left, keep no response', async () => {
  expect(await left('kept alive')).toEqual({
    requests: REQUESTS,
    spans: { started: REQUESTS, ended: REQUESTS },
    kept: { ...NOTHING, open: REQUESTS, timers: REQUESTS },
  });
});
