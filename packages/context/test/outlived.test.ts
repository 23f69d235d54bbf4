import { background, race, run, scope, track, withCancel } from '@curfew/context';
import {
  beginOperation,
  currentOperation,
  nodeOf,
  retire,
  subscribe,
  type Operation,
} from '@curfew/context/spi';
import { context } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

// Counted exactly, by the engine itself, in a process of their own.

interface Left {
  readonly kept: Readonly<Record<string, number>>;
  /** Of heap, for each life. */
  readonly bytes: number;
}

function left(way: string, lives: number): Left {
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ['--no-warnings', join(__dirname, 'fixtures', 'outlived.cjs'), way, String(lives)],
    { encoding: 'utf8', timeout: 100_000 },
  );
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout) as Left;
}

const LIVES = 10_000;

test.each([
  ['race', LIVES],
  ['track', LIVES],
  ['run', LIVES],
  ['scope', LIVES],
  ['iterate', 0],
  ['race within run', 2 * LIVES],
  ['a race that is retired', LIVES],
])(
  'a promise that outlives the contexts that it was waited for under, by %s, keeps none of them nor their values',
  (way, operations) => {
    const { kept, bytes } = left(way, LIVES);
    expect(kept).toEqual({ node: 0, value: 0, ending: 0, operation: operations });
    expect(bytes).toBeLessThan(1200);
  },
  100_000,
);

test('the loser of a race keeps about as much as that of a Promise.race', () => {
  expect(left('race', LIVES).bytes).toBeLessThan(1.25 * left('Promise.race', LIVES).bytes);
}, 100_000);

describe('an operation lets go of its context', () => {
  const told: string[] = [];
  let stop: () => void;
  beforeEach(() => {
    told.length = 0;
    stop = subscribe({
      operationBegun: ({ name, node }) => void told.push(`begun ${name} of ${node?.name}`),
      operationSettled: ({ name, node, kind }) => void told.push(`settled ${name} ${kind} of ${node?.name}`),
    });
  });
  afterEach(() => stop());

  test('once that has ended, and is settled all the same', () => {
    const [ctx, cancel] = withCancel(background(), { name: 'request' });
    const [a, b, c] = ['a', 'b', 'c'].map((name) => beginOperation(ctx, { name }) as Operation);
    b?.settle();
    expect(b?.node).toBeUndefined();
    cancel('why');
    expect([a?.node, c?.node, nodeOf(ctx)?.operations]).toEqual(Array(3).fill(undefined));
    const late = beginOperation(ctx, { name: 'late' });
    expect([late?.node, nodeOf(ctx)?.operations]).toEqual([undefined, undefined]);
    for (const each of [a, c, late]) each?.settle();
    expect(told).toEqual([
      ...['a', 'b', 'c'].map((name) => `begun ${name} of request`),
      'settled b internal of request',
      'begun late of request',
      ...['a', 'c', 'late'].map((name) => `settled ${name} internal of undefined`),
    ]);
  });

  test('where nobody listens as well', () => {
    stop();
    const [ctx, cancel] = withCancel(background());
    const operation = beginOperation(ctx);
    cancel('why');
    expect([operation?.node, nodeOf(ctx)?.operations]).toEqual([undefined, undefined]);
    operation?.settle();
    expect(operation?.settled).toBe(true);
  });
});

describe('work that starts its own successor', () => {
  beforeAll(() => context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable()));
  afterAll(() => context.disable());

  const depth = () => {
    let operations = 0;
    for (let each = currentOperation(); each !== undefined; each = each.parent) operations++;
    return operations;
  };

  test.each(['once it has settled', 'before it settles'])('%s, makes no chain that grows', async (when) => {
    const [ctx, cancel] = withCancel(background());
    const depths: number[] = [];
    let last!: () => void;
    const over = new Promise<void>((resolve) => (last = resolve));
    function turn(): Promise<void> {
      return run(ctx, async () => {
        depths.push(depth());
        if (depths.length === 100) last();
        else if (when === 'before it settles') {
          await Promise.resolve();
          void turn();
        } else setImmediate(() => void turn());
      });
    }
    void turn();
    await over;
    expect(Math.max(...depths)).toBeLessThan(10);
    cancel();
  });

  test('and what runs in it is still its own: a release from there is no cancellation', async () => {
    const outcomes: string[] = [];
    const stop = subscribe({ contextEnded: ({ ending: { outcome } }) => void outcomes.push(outcome) });
    const [ctx, cancel] = withCancel(background());
    await run(ctx, async () => {
      await run(ctx, () => Promise.resolve());
      await run(ctx, async () => {
        void run(ctx, () => undefined);
        await Promise.resolve();
        cancel();
      });
    });
    stop();
    expect(outcomes).toEqual(['completed']);
  });
});

test('a race that is under way when its request is retired still ends as the promise does', async () => {
  const outcomes = [true, false].map((succeeds) => {
    const [ctx] = withCancel(background());
    const later = new Promise((resolve, reject) => setImmediate(succeeds ? resolve : reject, 'told'));
    const waiting = [race(ctx, later), track(ctx, later), scope(ctx, {}, () => later)];
    retire(ctx);
    return Promise.allSettled(waiting);
  });
  expect((await Promise.all(outcomes)).flat()).toEqual([
    ...Array(3).fill({ status: 'fulfilled', value: 'told' }),
    ...Array(3).fill({ status: 'rejected', reason: 'told' }),
  ]);
});
