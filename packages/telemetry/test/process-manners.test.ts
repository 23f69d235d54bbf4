import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

// A Collector that hangs, and the ends by signals, are tested with what exports: packages/node/test/otlp.test.ts and
// process-end.test.ts.

/** How a process ends that has timers armed, spans open, orphans pending and an exporter that never answers. */
function ended(way: string, observed: 'observed' | 'plain') {
  const { status, signal, stdout, stderr } = spawnSync(
    process.execPath,
    [join(__dirname, 'fixtures', 'exits-at-once.cjs'), way, observed],
    { encoding: 'utf8', timeout: 20_000 },
  );
  return { status, signal, stdout, stderr };
}

test.each([
  ['by itself', 0],
  ['by process.exit in a listener', 3],
  ['by an exception of a listener', 1],
  ['by a rejection that nobody handles', 1],
])(
  'a process that ends %s does so at once under telemetry too, with the same code and the same words',
  (way, code) => {
    const observed = ended(way, 'observed');
    expect(observed).toMatchObject({ status: code, signal: null });
    expect(observed.stdout).toContain(`exit ${code}`);
    expect(observed).toEqual(ended(way, 'plain'));
  },
);
