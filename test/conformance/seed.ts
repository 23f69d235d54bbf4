import fc from 'fast-check';

/** CURFEW_TEST_SEED repeats a run; fast-check prints the seed of one that failed. */
export const seed: { seed?: number } =
  process.env.CURFEW_TEST_SEED === undefined ? {} : { seed: Number(process.env.CURFEW_TEST_SEED) };

/** Checks a property, on random values or on those of CURFEW_TEST_SEED. */
export function seeded<T>(property: fc.IProperty<T>, numRuns = 100): void {
  fc.assert(property, { numRuns, ...seed });
}
