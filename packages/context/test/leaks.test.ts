import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

// Counted exactly, by the engine itself: objects reachable after a full collection, in a process of their own.

interface Counts {
  readonly lives: number;
  readonly kept: Readonly<Record<string, number>>;
  readonly children: number;
  readonly foreignListeners: number;
  readonly deadlines: { readonly live: number; readonly armed: boolean };
  readonly resources: readonly string[];
  readonly held: number;
}

const NOTHING = {
  kept: { node: 0, view: 0, ending: 0, signal: 0, listener: 0, operation: 0 },
  children: 0,
  foreignListeners: 0,
  deadlines: { live: 0, armed: false },
  resources: [],
  held: 3,
};

function count(way: string, lives: number): Counts {
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ['--no-warnings', join(__dirname, 'fixtures', 'lives.cjs'), way, String(lives)],
    { encoding: 'utf8', timeout: 100_000 },
  );
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout) as Counts;
}

test('the count sees what is kept: contexts that nobody ends stay in the tree', () => {
  const { kept, children } = count('abandoned', 100);
  expect([kept.node, kept.listener, children]).toEqual([100, 100, 100]);
});

// Listeners and signals cost microseconds each, and a leak of one object a life shows as well in 100,000.
test.each([
  ['released', 1_000_000],
  ['canceled', 1_000_000],
  ['released before a deadline', 1_000_000],
  ['released with a value over it', 1_000_000],
  ['released with a callback on it', 1_000_000],
  ['released with a signal read and a listener left on it', 100_000],
  ['ended by a foreign signal or before it', 100_000],
  ['merged', 100_000],
  ['retired', 100_000],
  ['ended with the parent of each', 100_000],
  ['raced, as winner and as loser', 100_000],
  ['worked under by scope, run and sleep', 100_000],
])(
  'of contexts %s, %d lives leave nothing behind',
  (way, lives) => {
    expect(count(way, lives)).toEqual({ ...NOTHING, lives });
  },
  120_000,
);
