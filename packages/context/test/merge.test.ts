import { background, merge, withCancel, withTimeout } from '@curfew/context';
import { deadlineStatus, end, nodeOf, retire, withLimit } from '@curfew/context/spi';
import { useManualClock, type ManualClock } from '../../../test/manual-clock';

let clock: ManualClock;
let restore: () => void;
beforeEach(() => ({ clock, restore } = useManualClock()));
afterEach(() => restore());

/** A microtask later: a merged context hears of a retired request then. */
const told = () => new Promise((resolve) => setImmediate(resolve));

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
    async (_, make) => {
      const before = deadlineStatus().live;
      const [request] = withTimeout(background(), 60);
      const ctx = make(request);
      expect(ctx.remaining()).toBe(60);
      retire(request);
      await told();
      expect([ctx.remaining(), ctx.deadline()]).toEqual([Infinity, undefined]);
      clock.advance(100);
      expect(ctx.err()).toBeUndefined();
      expect(deadlineStatus().live).toBe(before);
    },
  );

  test('and uncovers a later one, of either', async () => {
    const [slow] = withTimeout(background(), 5000);
    const [request] = withTimeout(background(), 60);
    const [own] = withTimeout(request, 3000);
    const ofJob = merge(slow, request)[0];
    const ofOther = merge(background(), own)[0];
    const below = withTimeout(ofJob, 4000)[0];
    retire(request);
    await told();
    expect([ofJob, ofOther, below].map((ctx) => ctx.remaining())).toEqual([5000, 3000, 4000]);
    clock.advance(4000);
    expect([ofJob, ofOther, below].map((ctx) => ctx.err()?.name)).toEqual([
      undefined,
      'TimeoutError',
      'TimeoutError',
    ]);
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

test('released before either, it leaves no timer and no callback', () => {
  const before = deadlineStatus().live;
  const [request] = withTimeout(background(), 60);
  merge(background(), request)[1]();
  expect(deadlineStatus().live - before).toBe(1);
  expect(nodeOf(request)?.firstCallback).toBeUndefined();
});
