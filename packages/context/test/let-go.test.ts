import { afterFunc, background, cleanup, onEnd, withCancel, withSignal, withTimeout } from '@curfew/context';
import {
  beginOperation,
  nodeOf,
  retire,
  subscribe,
  type ContextNode,
  type Ending,
} from '@curfew/context/spi';
import { useManualClock } from '../../../test/manual-clock';

/** What a node holds of the tree that it was in, but for its parent, whom it is named after. */
const heldBy = ({
  firstChild,
  lastChild,
  prev,
  next,
  firstCallback,
  lastCallback,
  operations,
}: ContextNode) =>
  [firstChild, lastChild, prev, next, firstCallback, lastCallback, operations].filter(
    (each) => each !== undefined,
  );

function contexts() {
  const [top, cancel] = withCancel(background());
  const [first] = withCancel(top);
  const [middle, cancelMiddle] = withCancel(top);
  const [last] = withTimeout(top, 60_000);
  const [inner] = withCancel(middle);
  const [innermost] = withCancel(inner);
  const [beside] = withCancel(inner);
  const all = { top, first, middle, last, inner, innermost, beside };
  for (const ctx of Object.values(all)) onEnd(ctx, () => undefined);
  const operations = Object.values(all).map((ctx) => beginOperation(ctx, { name: 'never settles' }));
  const nodes = Object.values(all).map((ctx) => nodeOf(ctx) as ContextNode);
  return { ...all, nodes, operations, cancel, cancelMiddle };
}

describe('one context or operation that a program holds on to keeps no other', () => {
  test('of a tree that has been cancelled', () => {
    const { nodes, operations, cancel } = contexts();
    cancel('why');
    expect(nodes.map(heldBy)).toEqual(nodes.map(() => []));
    expect(operations.map((each) => each?.node)).toEqual(operations.map(() => undefined));
  });

  test('that has ended before those beside it', () => {
    const { middle, cancelMiddle, nodes, cancel } = contexts();
    cancelMiddle('why');
    expect(heldBy(nodeOf(middle) as ContextNode)).toEqual([]);
    cancel('why');
    expect(nodes.map(heldBy)).toEqual(nodes.map(() => []));
  });

  test('that was released, of those beside it', () => {
    const [parent] = withCancel(background());
    const [[, ,], [ctx, cancel], [, ,]] = [withCancel(parent), withCancel(parent), withCancel(parent)];
    cancel();
    expect(heldBy(nodeOf(ctx) as ContextNode)).toEqual([]);
  });

  test.each([
    ['first', 'second', 'third'],
    ['first', 'third', 'second'],
    ['second', 'first', 'third'],
    ['second', 'third', 'first'],
    ['third', 'first', 'second'],
    ['third', 'second', 'first'],
  ] as const)('nor does the parent, which has just the others: without the %s, then the %s', (...order) => {
    const [parent] = withCancel(background());
    const cancels = new Map(
      ['first', 'second', 'third'].map((name) => [name, withCancel(parent, { name })[1]]),
    );
    for (const name of order) {
      cancels.get(name)?.();
      cancels.delete(name);
      const forth: unknown[] = [];
      const back: unknown[] = [];
      for (let at = nodeOf(parent)?.firstChild; at !== undefined; at = at.next) forth.push(at.name);
      for (let at = nodeOf(parent)?.lastChild; at !== undefined; at = at.prev) back.unshift(at.name);
      expect([forth, back]).toEqual([[...cancels.keys()], [...cancels.keys()]]);
    }
  });

  test('that was retired, nor do those that go on without it', () => {
    const { top, first, middle, last, nodes } = contexts();
    retire(top);
    expect(heldBy(nodeOf(top) as ContextNode)).toEqual([]);
    const roots = [first, middle, last].map((ctx) => nodeOf(ctx) as ContextNode);
    expect(roots.map(({ parent, prev, next }) => [parent, prev, next])).toEqual(
      roots.map(() => [undefined, undefined, undefined]),
    );
    expect(nodes.slice(1).every(({ ending }) => ending === undefined)).toBe(true);
  });
});

test('a signal that is let go of slowly while a tree ends may ask what is not yet reached: the deadline has gone', () => {
  const { clock, restore } = useManualClock();
  const [top, cancel] = withTimeout(background(), 1_000);
  const { signal } = new AbortController();
  withSignal(top, signal);
  const [beside] = withCancel(top);
  const asked: unknown[] = [];
  signal.removeEventListener = () => {
    clock.advance(1_000);
    try {
      asked.push(beside.err());
    } catch (error) {
      asked.push(error);
    }
  };
  cancel('why');
  restore();
  expect(asked).toEqual([undefined]);
  expect(beside.cause()).toBe('why');
});

describe('an end that nobody asks about', () => {
  test('makes no error: where no signal was read, nobody pays for one', () => {
    const [ctx, cancel] = withCancel(background());
    const [child] = withCancel(ctx);
    cancel('why');
    const ending = nodeOf(child)?.ending;
    expect(ending?.error).toBeUndefined();
    expect(child.err()).toBe(ending?.error);
  });

  test('is one for every release of a context with nobody to tell, whose error is its own', () => {
    const [[first, releaseFirst], [second, releaseSecond]] = [
      withCancel(background()),
      withCancel(background()),
    ];
    releaseFirst();
    releaseSecond();
    expect(nodeOf(first)?.ending).toBe(nodeOf(second)?.ending);
    expect(first.err()).not.toBe(second.err());
    expect(first.err()).toBe(first.err());
  });
});

describe('a retirement', () => {
  test('calls what cleans up, once and in a later turn, and nobody else', async () => {
    const [ctx, cancel] = withCancel(background());
    const said: string[] = [];
    onEnd(ctx, () => said.push('onEnd'));
    afterFunc(ctx, () => said.push('afterFunc'));
    const stop = cleanup(ctx, () => said.push('cleanup'));
    retire(ctx);
    said.push('returned');
    await new Promise((resolve) => setImmediate(resolve));
    expect(stop()).toBe(false);
    cancel('late');
    await new Promise((resolve) => setImmediate(resolve));
    expect(said).toEqual(['returned', 'cleanup']);
  });

  test('is out of the tree: an end of what it was under does not reach it', () => {
    const [parent, cancel] = withCancel(background());
    const [ctx] = withCancel(parent);
    retire(ctx);
    expect(nodeOf(parent)?.firstChild).toBeUndefined();
    cancel('why');
    expect([parent.cause(), ctx.err()]).toEqual(['why', undefined]);
  });

  test('of what has ended, or whose deadline has passed by the clock, changes nothing', () => {
    const told: Ending['outcome'][] = [];
    const { clock, restore } = useManualClock();
    const [ctx, cancel] = withCancel(background());
    const [limited] = withTimeout(background(), 50);
    cancel('why');
    const stop = subscribe({ contextEnded: ({ ending }) => void told.push(ending.outcome) });
    // By the clock alone: its timer is late.
    clock.block(50);
    for (const each of [ctx, limited]) retire(each);
    stop();
    restore();
    expect(told).toEqual(['deadline_exceeded']);
    expect([ctx.cause(), limited.err()?.name]).toEqual(['why', 'TimeoutError']);
  });
});

test('whoever is told of ends is told when: the instant of a cancel is noted, and a release says what it read', () => {
  const { clock, restore } = useManualClock();
  const told: [Ending['outcome'], at: number, markedAt: number, now: number][] = [];
  const stop = subscribe({
    contextEnded: ({ ending: { outcome, at, markedAt }, now }) =>
      void told.push([outcome, at, markedAt, now]),
  });
  const now = clock.now();
  for (const cause of ['why', undefined]) {
    const [ctx, cancel] = withCancel(background());
    withCancel(ctx);
    cancel(cause);
  }
  const [limited, release] = withTimeout(background(), 1_000);
  limited.signal.addEventListener('abort', () => undefined);
  release();
  stop();
  restore();
  expect(told).toEqual([
    ['canceled', now, now, now],
    ['canceled', now, now, now],
    ['completed', NaN, NaN, now],
    ['completed', NaN, NaN, now],
    ['completed', now, now, now],
  ]);
});
