import type { Sample } from './exposition';

/** Cumulative counts by upper bound, all series of a histogram added up, as `sum by (le)` would. */
export type Buckets = readonly (readonly [upper: number, count: number])[];

export function bucketsOf(samples: readonly Sample[], name: string): Buckets {
  const counts = new Map<number, number>();
  for (const sample of samples) {
    if (sample.name !== `${name}_bucket`) continue;
    const upper = sample.labels.le === '+Inf' ? Infinity : Number(sample.labels.le);
    counts.set(upper, (counts.get(upper) ?? 0) + sample.value);
  }
  return [...counts].sort(([a], [b]) => a - b);
}

/**
 * What `histogram_quantile` would say: linear within the bucket that holds the rank. `Infinity` where that is the
 * last one, of which only the lower bound is known; `undefined` without an observation.
 */
export function quantile(buckets: Buckets, q: number): number | undefined {
  const total = buckets.at(-1)?.[1] ?? 0;
  if (total === 0) return undefined;
  const rank = q * total;
  let lower = 0;
  let before = 0;
  for (const [upper, count] of buckets) {
    if (count >= rank && count > before) {
      return upper === Infinity ? Infinity : lower + (upper - lower) * ((rank - before) / (count - before));
    }
    lower = upper;
    before = count;
  }
  return Infinity;
}
