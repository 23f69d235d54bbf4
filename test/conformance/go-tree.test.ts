import {
  afterFunc,
  background,
  isCanceled,
  isDeadlineExceeded,
  onEnd,
  withCancel,
  withTimeout,
  withValue,
  type Cancel,
  type Context,
} from '@curfew/context';
import { deadlineStatus, nodeOf } from '@curfew/context/spi';
import { createContextKey } from '@opentelemetry/api';
import fc from 'fast-check';
import { row } from './row';
import { seeded } from './seed';
import { collected, ForeignContext, manualClock, registrations, spawned } from './support';

const clock = manualClock();

const key = createContextKey('key');
const HOUR = 3_600_000;

row('G14', 'a parent holds one registration for each child and callback, and none for values', () => {
  const [parent] = withCancel(background());
  withCancel(parent);
  withTimeout(withValue(parent, key, 1), HOUR);
  afterFunc(parent, () => undefined);
  expect(registrations(parent)).toBe(3);
});

row('G15', 'the nearest cancellable ancestor is found through any number of values and wrappers', () => {
  const [parent] = withCancel(background());
  let wrapped: Context = parent;
  for (let index = 0; index < 100; index++)
    wrapped = withValue(wrapped, createContextKey(`k${index}`), index);
  const [child] = withCancel(new ForeignContext(wrapped).setValue(key, 1));
  expect(nodeOf(child)?.parent).toBe(nodeOf(parent));
});

row('G16', 'a cancel empties the set of children, which are collected while the parent is held', async () => {
  const [parent, cancel] = withCancel(background());
  const child = () => {
    const [ctx] = withTimeout(parent, HOUR);
    onEnd(ctx, () => ctx.err());
    cancel();
    return new WeakRef(ctx);
  };
  expect(await collected(child)).toBe(true);
  expect(registrations(parent)).toBe(0);
});

row('G17', 'the parent and all beneath it are done; the timer of a child is cleared', () => {
  const [parent, cancel] = withCancel(background());
  const value = withValue(parent, key, 1);
  const all = [parent, withCancel(parent)[0], value, withTimeout(value, HOUR)[0]];
  expect(clock.timers).toHaveLength(1);
  cancel();
  expect(all.map((ctx) => isCanceled(ctx.err()))).toEqual([true, true, true, true]);
  expect(deadlineStatus().live).toBe(0);
  const { lines } = spawned(`
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const [parent, cancel] = c.withCancel(c.background());
    c.withTimeout(parent, 3600000, { ref: true });
    console.log(timers());
    cancel();
    setImmediate(() => console.log(timers()));
  `);
  expect(lines).toEqual(['1', '0']);
});

row('G18', 'a value put onto a cancelled parent is done at once', () => {
  const [parent, cancel] = withCancel(background());
  cancel('why');
  for (const child of [withValue(parent, key, 1), parent.setValue(key, 1)]) {
    expect([child.signal?.aborted, child.err(), child.cause()]).toEqual([true, parent.err(), 'why']);
  }
});

row('G19', 'a child that is cancelled first leaves its parent, which goes on', () => {
  const [cancellable] = withCancel(background());
  for (const parent of [background(), cancellable]) {
    const [child, cancel] = withCancel(parent);
    expect(registrations(parent)).toBe(parent === cancellable ? 1 : 0);
    cancel();
    expect(registrations(parent)).toBe(0);
    expect([isCanceled(child.err()), parent.err()]).toEqual([true, undefined]);
  }
});

row('G20', 'each registration is undone: by cancel, by stop, and by the deadline itself', () => {
  const [parent] = withCancel(background());
  const undo: (() => unknown)[] = [
    withCancel(parent)[1],
    withTimeout(parent, HOUR)[1],
    afterFunc(parent, () => undefined),
    onEnd(parent, () => undefined),
  ];
  for (let left = undo.length; left > 0; left--) {
    expect(registrations(parent)).toBe(left);
    undo[left - 1]?.();
  }
  expect(registrations(parent)).toBe(0);
  withTimeout(parent, 10);
  expect(registrations(parent)).toBe(1);
  clock.advance(10);
  expect(registrations(parent)).toBe(0);
});

row(
  'G21',
  'a child of a cancelled parent is born done: no link, no timer, no event, and its cancel does nothing',
  () => {
    const [parent, cancel] = withCancel(background());
    cancel('why');
    for (const [child, cancelChild] of [withCancel(parent), withTimeout(parent, 10, { cause: 'late' })]) {
      const told = jest.fn();
      expect(child.signal.aborted).toBe(true);
      child.signal.addEventListener('abort', told);
      cancelChild('other');
      clock.advance(20);
      expect(told).not.toHaveBeenCalled();
      expect([child.err(), child.cause()]).toEqual([parent.err(), 'why']);
    }
    expect([registrations(parent), deadlineStatus().live, clock.timers.length]).toEqual([0, 0, 0]);
  },
);

row('G22', 'a child made while its parent is being cancelled comes out cancelled, with that cause', () => {
  const [parent, cancel] = withCancel(background());
  const [sibling] = withCancel(parent);
  const born: Context[] = [];
  const derive = () => void born.push(withCancel(parent)[0], withTimeout(sibling, HOUR)[0]);
  const cause = {
    get message() {
      derive();
      return 'read';
    },
  };
  parent.signal.addEventListener('abort', derive);
  sibling.signal.addEventListener('abort', derive);
  onEnd(parent, derive);
  onEnd(sibling, derive);
  // The getter of a cause runs when somebody reads it, never in the cancel itself.
  onEnd(sibling, () => (parent.cause() as typeof cause).message);
  cancel(cause);
  expect(born).toHaveLength(10);
  expect(born.map((child) => child.cause() === cause && child.signal?.aborted)).toEqual(born.map(() => true));
});

/** All contexts of a 4-ary tree of this depth, each cancelled from a listener of another one. */
function fourAry(parent: Context, depth: number): [Context, Cancel][] {
  if (depth === 0) return [];
  return Array.from({ length: 4 }, () => withCancel(parent)).flatMap(([child, cancel]) => [
    [child, cancel] as [Context, Cancel],
    ...fourAry(child, depth - 1),
  ]);
}

row(
  'G23',
  'a tree of 340 contexts cancelled in random order from its own listeners: each is told once',
  () => {
    const order = fc.shuffledSubarray(Array.from(Array(340).keys()), { minLength: 340 });
    seeded(
      fc.property(order, (order) => {
        const tree = fourAry(background(), 4);
        const events: number[] = [];
        order.forEach((index, at) => {
          const [ctx] = tree[index] as [Context, Cancel];
          ctx.signal?.addEventListener('abort', () => events.push(index));
          onEnd(ctx, () => tree[order[at + 1] ?? 0]?.[1]());
        });
        tree[order[0] as number]?.[1]();
        expect(events.sort((a, b) => a - b)).toEqual(Array.from(tree.keys()));
        expect(tree.every(([ctx]) => isCanceled(ctx.err()))).toBe(true);
      }),
      20,
    );
  },
);

row('G24', 'cancelling a child in a listener of its parent does nothing', () => {
  const [parent, cancel] = withCancel(background());
  const [child, cancelChild] = withCancel(parent);
  const told = jest.fn();
  onEnd(child, told);
  onEnd(parent, () => cancelChild('mine'));
  parent.signal.addEventListener('abort', () => cancelChild('mine'));
  cancel("the parent's");
  expect(child.cause()).toBe("the parent's");
  expect(told).toHaveBeenCalledTimes(1);
});

type LayerKind = 'value' | 'cancel' | 'timeout';
const KINDS: LayerKind[] = ['value', 'cancel', 'timeout'];

/** At least thirty layers, each kind among them. */
const layers = fc
  .array(fc.constantFrom(...KINDS), { minLength: 30, maxLength: 60 })
  .filter((kinds) => KINDS.every((kind) => kinds.includes(kind)));

function stack(kinds: LayerKind[], ms: number) {
  const values: [symbol, number][] = [];
  const cancels: Cancel[] = [];
  let leaf: Context = background();
  kinds.forEach((kind, index) => {
    if (kind === 'value') {
      values.push([createContextKey(`k${index}`), index]);
      leaf = withValue(leaf, ...(values.at(-1) as [symbol, number]));
    } else {
      const [ctx, cancel] = kind === 'cancel' ? withCancel(leaf) : withTimeout(leaf, ms);
      leaf = ctx;
      cancels.push(cancel);
    }
  });
  const checkValues = () =>
    expect(values.map(([key]) => leaf.getValue(key))).toEqual(values.map(([, value]) => value));
  return { leaf, cancels, checkValues };
}

row(
  'G25',
  'random layers: cancelling any one of them ends the leaf synchronously, and every value stays',
  () => {
    seeded(
      fc.property(layers, fc.nat(), (kinds, pick) => {
        const { leaf, cancels, checkValues } = stack(kinds, 1000 * HOUR);
        expect(leaf.err()).toBeUndefined();
        expect(leaf.toString()).toMatch(/^context\.Background\./);
        checkValues();
        cancels[pick % cancels.length]?.();
        expect([isCanceled(leaf.err()), leaf.signal?.aborted]).toEqual([true, true]);
        checkValues();
        cancels[0]?.();
      }),
    );
  },
);

row('G26', 'the same with timeouts of 1 ms: the leaf expires, and every value stays', () => {
  seeded(
    fc.property(layers, (kinds) => {
      const { leaf, checkValues } = stack(kinds, 1);
      expect(leaf.err()).toBeUndefined();
      checkValues();
      clock.advance(1);
      expect([isDeadlineExceeded(leaf.err()), leaf.signal?.aborted]).toEqual([true, true]);
      checkValues();
    }),
  );
});

row('G27', 'the whole subtree is marked first; listeners then run in pre-order and insertion order', () => {
  const [a, cancel] = withCancel(background());
  const [b] = withCancel(a);
  const [c] = withCancel(a);
  const [d] = withCancel(b);
  const said: string[] = [];
  for (const [name, ctx] of Object.entries({ a, b, c, d })) {
    onEnd(ctx, () =>
      said.push(name + [a, b, c, d].map((each) => (each.err() === undefined ? 0 : 1)).join('')),
    );
  }
  cancel();
  expect(said.join(' ')).toBe('a1111 b1111 d1111 c1111');
});
