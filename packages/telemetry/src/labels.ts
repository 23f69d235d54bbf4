import { OTHER, UNNAMED } from './registry';

/** Values of one attribute that come from users or adapters, as small numbers. */
export interface Labels {
  /** The number of a value, given out at first sight; beyond the cap, that of `_OTHER`. */
  index(value: string | undefined): number;
  /** The value of a number. */
  value(index: number): string;
  /** Whether a number has been given out. */
  isGiven(index: number): boolean;
  /** How many numbers there can be, `_OTHER` included. */
  readonly size: number;
  /** How often a value was recorded as `_OTHER`. */
  readonly overflows: number;
}

/** Longer names are cut: a label of this length says enough, and a request body in it would cost memory for ever. */
const MAX_LENGTH = 100;

/** Spellings remembered for each value given out; beyond, they are cleaned anew at each call. */
const SPELLINGS = 4;

/** Control characters and lone surrogates, which some exposition formats cannot carry. */
const UNPRINTABLE = /[\p{Cc}\p{Cs}]/gu;

function clean(value: string): string {
  return value.slice(0, MAX_LENGTH).replace(UNPRINTABLE, '_');
}

/** What a value is recorded as, were there no cap. */
export function labelFor(value: string | undefined): string {
  return typeof value === 'string' && value !== '' ? clean(value) : UNNAMED;
}

/** At most `cap` values, and `_OTHER` for the rest. */
export function createLabels(cap: number): Labels {
  const values = [OTHER];
  const known = new Map<string, number>([[OTHER, 0]]);
  const spellings = new Map<unknown, number>();
  let overflows = 0;

  function lookUp(value: string | undefined): number {
    const name = labelFor(value);
    let index = known.get(name);
    if (index === undefined) {
      if (values.length > cap) {
        overflows++;
        return 0;
      }
      index = values.push(name) - 1;
      known.set(name, index);
    }
    if (spellings.size < cap * SPELLINGS) spellings.set(value, index);
    return index;
  }

  return {
    index: (value) => spellings.get(value) ?? lookUp(value),
    value: (index) => values[index] ?? OTHER,
    isGiven: (index) => index < values.length,
    size: cap + 1,
    get overflows() {
      return overflows;
    },
  };
}
