import { background, merge, onEnd, withCancel, withTimeout, type Context } from '@curfew/context';
import { deadlineStatus, end, nodeOf, retire, subscribe, withLimit } from '@curfew/context/spi';
import { context } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { useManualClock, type ManualClock } from '../../../test/manual-clock';

let clock: ManualClock;
let restore: () => void;
beforeEach(() => ({ clock, restore } = useManualClock()));
afterEach(() => restore());

describe('the deadline of a request that is retired goes with it', () => {
  const [job] = withCancel(background());
  test.each([
    ['merged with the request itself', (request) => merge(job, request)[0]],
    ['merged with a child of the request', (request) => merge(job, withCancel(request)[0])[0]],
    ['merged with what was merged with it', (request) => merge(job, merge(job, request)[0])[0]],
    ['below what was merged with it', (request) => withCancel(merge(job, request)[0])[0]],
    ['under the request, and merged with it', (request) => merge(withCancel(request)[0], request)[0]],
  ] as [string, (request: ReturnType<typeof background>) => ReturnType<typeof withCancel>[0]][])(
    'from a context %s',
    (_, make) => {
      const before = deadlineStatus().live;
      const [request] = withTimeout(background(), 60);
      const ctx = make(request);
      expect(ctx.remaining()).toBe(60);
      retire(request);
      expect([ctx.remaining(), ctx.deadline()]).toEqual([Infinity, undefined]);
      clock.advance(100);
      expect(ctx.err()).toBeUndefined();
      expect(deadlineStatus().live).toBe(before);
    },
  );

  test('and uncovers a later one, of either', () => {
    const [slow] = withTimeout(background(), 5000);
    const [request] = withTimeout(background(), 60);
    const [own] = withTimeout(request, 3000);
    const ofJob = merge(slow, request)[0];
    const ofOther = merge(background(), own)[0];
    const below = withTimeout(ofJob, 4000)[0];
    retire(request);
    expect([ofJob, ofOther, below].map((ctx) => ctx.remaining())).toEqual([5000, 3000, 4000]);
    clock.advance(4000);
    expect([ofJob, ofOther, below].map((ctx) => ctx.err()?.name)).toEqual([
      undefined,
      'TimeoutError',
      'TimeoutError',
    ]);
  });

  test('at once: who looks when it has passed, before anything else could run, finds what is left', () => {
    const [request] = withTimeout(background(), 60);
    const [ctx] = merge(job, merge(job, request)[0]);
    const heard: unknown[] = [];
    onEnd(ctx, () => heard.push(ctx.err()));
    retire(request);
    clock.block(60);
    expect([ctx.err(), heard]).toEqual([undefined, []]);
  });

  test.each([
    [10_000, 'each merged with the one before', (ctx, _) => merge(job, ctx)[0]],
    [
      1_000,
      'each under the one before and merged with the request',
      (ctx, request) => merge(ctx, request)[0],
    ],
    [1_000, 'each under the one before and merged with it too', (ctx, _) => merge(ctx, ctx)[0]],
  ] as [number, string, (ctx: Context, request: Context) => Context][])(
    'from %d contexts, %s',
    (length, _, next) => {
      const before = deadlineStatus().live;
      const [request] = withTimeout(background(), 60);
      const chain: Context[] = [request];
      while (chain.length <= length) chain.push(next(chain[chain.length - 1] as Context, request));
      retire(request);
      expect(chain.filter((ctx) => ctx.remaining() !== Infinity)).toEqual([]);
      expect(deadlineStatus().live).toBe(before);
    },
  );

  test('from the others too where the context manager throws for one of them, which surfaces in a later turn', () => {
    const later: (() => void)[] = [];
    const turns = jest.spyOn(globalThis, 'queueMicrotask').mockImplementation((fn) => void later.push(fn));
    const manager = new AsyncLocalStorageContextManager().enable();
    context.setGlobalContextManager(manager);
    try {
      const [request] = withTimeout(background(), 60);
      const [broken] = context.with(job, () => merge(job, request));
      const [whole] = merge(job, request);
      const [afterwards] = merge(job, whole);
      jest.spyOn(manager, 'with').mockImplementation(() => {
        throw new Error('of the manager');
      });
      retire(request);
      expect([broken, whole, afterwards].map((ctx) => ctx.remaining())).toEqual([60, Infinity, Infinity]);
      expect(later).toHaveLength(1);
      expect(later[0]).toThrow('of the manager');
    } finally {
      context.disable();
      turns.mockRestore();
    }
  });
});

test('the earlier deadline is that of the merged context, which ends by it on time and is told which', () => {
  const [early] = withTimeout(background(), 50, { cause: 'early' });
  const [late] = withTimeout(background(), 80, { cause: 'late' });
  const [a] = merge(early, late);
  const [b] = merge(late, early);
  expect([a.deadline(), b.deadline()]).toEqual([early.deadline(), early.deadline()]);
  clock.advance(50);
  expect([a.cause(), b.cause(), late.err()]).toEqual(['early', 'early', undefined]);
});

test.each(['notices the deadline by itself', 'hears of it from the other one'])(
  'a cause given for the deadline is the cause, where the merged context %s',
  (how) => {
    const [other] = withTimeout(background(), 50, { cause: 'of the other' });
    const [ctx] = merge(background(), other, { cause: 'given' });
    clock.block(50);
    if (how.startsWith('hears')) other.err();
    expect([ctx.cause(), other.cause()]).toEqual(['given', 'of the other']);
  },
);

test('a deadline of the other one that has passed is noticed although the values have ended before', () => {
  const [values, cancel] = withCancel(background());
  const [other] = withTimeout(background(), 50);
  cancel('why');
  clock.block(50);
  expect(merge(values, other)[0].cause()).toBe('why');
  expect(nodeOf(other)?.ending?.outcome).toBe('deadline_exceeded');
});

test('a cause given for the deadline is not that of a cancellation', () => {
  const [other, cancel] = withTimeout(background(), 50);
  const [ctx] = merge(background(), other, { cause: 'given' });
  cancel('why');
  expect(ctx.cause()).toBe('why');
});

test('what Curfew added to the other one, a limit or an end, is known as that in the merged context too', () => {
  const [limited] = withLimit(background(), 50);
  const [a] = merge(background(), limited);
  const [left] = withCancel(background());
  const [b] = merge(background(), left);
  clock.advance(50);
  end(left, { origin: 'client_disconnect', automatic: true });
  expect([a, b].map((ctx) => nodeOf(ctx)?.ending?.automatic)).toEqual([true, true]);
  expect(nodeOf(a)?.due?.limit).toBe('automatic');
});

test.each([
  ['merged with the one before', (ctx) => merge(background(), ctx)],
  [
    'whose values are merged with the one before',
    (ctx) => merge(withCancel(background())[0], withCancel(ctx)[0]),
  ],
] as [string, (ctx: Context) => ReturnType<typeof merge>][])(
  'a cancellation reaches ten thousand contexts, each %s',
  (_, next) => {
    const [first, cancel] = withCancel(background());
    const chain: Context[] = [first];
    const heard: number[] = [];
    while (chain.length <= 10_000) {
      const [ctx] = next(chain[chain.length - 1] as Context);
      const index = chain.push(ctx);
      if (index % 1000 === 0) onEnd(ctx, () => heard.push(index));
    }
    cancel('why');
    expect(chain.filter((ctx) => ctx.cause() !== 'why')).toEqual([]);
    expect(heard).toEqual([1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000, 9000, 10_000]);
  },
);

test('who listens after the merge finds all that hangs on it ended, and its listeners called', () => {
  const [other, cancel] = withCancel(background(), { name: 'other' });
  const said: string[] = [];
  const note =
    (what: string, ...others: Context[]) =>
    () =>
      said.push([what, ...others.map((ctx) => (ctx.err() === undefined ? 'live' : 'done'))].join(' '));
  const [a] = merge(background(), other, { name: 'a' });
  const [b] = merge(background(), a, { name: 'b' });
  const [elsewhere, cancelElsewhere] = withCancel(background(), { name: 'elsewhere' });
  const [c] = merge(background(), elsewhere, { name: 'c' });
  onEnd(a, () => cancelElsewhere('from within'));
  onEnd(a, note('a', b, elsewhere, c));
  onEnd(b, note('b'));
  onEnd(c, note('c'));
  onEnd(other, note('other', a, b, c));
  const stop = subscribe({
    cancellationDelivered: ({ node }) => void said.push(`${node?.name} delivered`),
  });
  cancel('why');
  stop();
  expect(said).toEqual([
    'b',
    'b delivered',
    'c',
    'c delivered',
    'elsewhere delivered',
    'a done done done',
    'a delivered',
    'other done done done',
    'other delivered',
  ]);
});

test('what a listener of its signal cancels has all of its own listeners called before that cancel returns', () => {
  const [other, cancel] = withCancel(background());
  const [merged] = merge(background(), other);
  const [elsewhere, cancelElsewhere] = withCancel(background());
  const said: string[] = [];
  onEnd(elsewhere, () => said.push('elsewhere'));
  merged.signal.addEventListener('abort', () => {
    cancelElsewhere();
    said.push('returned');
  });
  cancel();
  expect(said).toEqual(['elsewhere', 'returned']);
});

test('nothing is kept of what has ended with another', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const [other, cancel] = withCancel(background());
  const ref = new WeakRef(merge(background(), other)[0]);
  onEnd(ref.deref() as Context, () => undefined);
  cancel('why');
  await new Promise((resolve) => setImmediate(resolve));
  collect();
  expect(ref.deref()).toBeUndefined();
});

test('a job that outlives a request keeps nothing of it', () => {
  const [request] = withTimeout(background(), 60);
  const [job] = merge(background(), request);
  retire(request);
  expect([nodeOf(job)?.unlink, nodeOf(job)?.own, job.err()]).toEqual([undefined, undefined, undefined]);
});

test('released before either, it leaves no timer and no callback', () => {
  const before = deadlineStatus().live;
  const [request] = withTimeout(background(), 60);
  merge(background(), request)[1]();
  expect(deadlineStatus().live - before).toBe(1);
  expect(nodeOf(request)?.firstCallback).toBeUndefined();
});
