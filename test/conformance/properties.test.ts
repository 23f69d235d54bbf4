import fc from 'fast-check';
import { createNaive } from './naive-world';
import { play, scenarios } from './scenario';
import { createCurfew } from './world';
import { seed } from './seed';

// Random trees of mixed layers (value, cancel, timeout, signal, withoutCancel, merge), ended in random order and from
// their own listeners, by a manual clock and by blocked loops: all that is told and answered must be what the naive
// model tells and answers, in the same order and number.
test('Curfew tells and answers exactly what a naive model does, whatever the tree and the order', async () => {
  await fc.assert(
    fc.asyncProperty(scenarios, async (steps) => {
      expect(await play(steps, createCurfew)).toEqual(await play(steps, createNaive));
    }),
    { numRuns: Number(process.env.CURFEW_TEST_RUNS ?? 1500), ...seed },
  );
  // Three seconds of work, and more on a machine that has other work.
}, 120_000);
