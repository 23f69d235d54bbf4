import { background, onEnd, withCancel, withSignal } from '@curfew/context';

test('a foreign signal that does not let go of its listener keeps nothing of the tree from ending', () => {
  const { signal } = new AbortController();
  Object.defineProperty(signal, 'removeEventListener', {
    value: () => {
      throw new Error('a stranger');
    },
  });
  const [root, cancel] = withCancel(background());
  const [before] = withCancel(root);
  const [linked, release] = withSignal(root, signal);
  const [below] = withCancel(linked);
  const [after] = withCancel(root);
  const all = [root, before, linked, below, after];
  const told: unknown[] = [];
  for (const ctx of all) onEnd(ctx, () => told.push(ctx));
  expect(cancel).not.toThrow();
  release();
  expect(all.map((ctx) => ctx.err())).toEqual(all.map(() => root.err()));
  expect(told).toEqual(all);
  expect(after.signal.aborted).toBe(true);
  expect(withSignal(background(), signal)[1]).not.toThrow();
});
