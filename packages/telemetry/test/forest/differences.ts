import type { Samples } from './tally';

/**
 * What two sets of figures disagree on, one line each. A series that is missing stands at zero. Counts are equal or
 * not; seconds are sums of up to a million fractions, each addition rounded to 2^-53 of the sum so far, in another
 * order here than there: a million of them differ by less than one part in a thousand million, and a figure that was
 * left out or counted twice by far more.
 */
export function differences(tallied: Samples, told: Samples): string[] {
  const found: string[] = [];
  for (const key of new Set([...tallied.keys(), ...told.keys()])) {
    const [expected, actual] = [tallied.get(key) ?? 0, told.get(key) ?? 0];
    if (expected === actual) continue;
    if (isSeconds(key) && Math.abs(expected - actual) <= 1e-9 * Math.max(expected, actual)) continue;
    found.push(`${key}: tallied ${expected}, told ${actual}`);
  }
  return found;
}

const SUMS_OF_SECONDS =
  /^curfew\.(?:orphan\.time|(?:context|cancel\.propagation|cancel\.settle|backend\.cancel|cleanup)\.duration_sum|deadline\.(?:lateness|remaining)_sum)\{/;

const isSeconds = (key: string) => SUMS_OF_SECONDS.test(key);
