/** Draws that a seed reproduces. */
export interface Random {
  /** A whole number from 0 up to, and not including, `below`. */
  below(below: number): number;
  /** Whether an event of this probability happens. */
  chance(probability: number): boolean;
  /** A whole number from `low` to `high`, small ones as likely as large ones by order of magnitude. */
  magnitude(low: number, high: number): number;
  pick<const T>(from: readonly [T, ...T[]]): T;
}

// Jest looks a global up anew each time, which costs more than the draw.
const { floor, imul, round } = Math;

/** Mulberry32: 32 bits of state are plenty for some millions of draws, and it fits in five lines. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit: number) => floor(next() * limit);
  return {
    below,
    chance: (probability) => next() < probability,
    magnitude: (low, high) => round(low * (high / low) ** next()),
    pick: (from) => from[below(from.length)] ?? from[0],
  };
}

/** The seed of this run: printed, and taken from CURFEW_TEST_SEED to run the same again. */
export function seedOfRun(): number {
  const seed = Number(process.env.CURFEW_TEST_SEED ?? Date.now() % 2 ** 31);
  console.log(`seed ${seed} (CURFEW_TEST_SEED)`);
  return seed;
}
