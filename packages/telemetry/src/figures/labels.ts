import { OTHER, UNNAMED } from '../registry/attributes';

/** Values of one attribute that come from users or adapters, as small numbers. */
export interface Labels {
  /** The number of a value, given out at first sight; beyond the cap, that of `_OTHER`. */
  index(value: string | undefined): number;
  /** The number of a value that has been recorded, that of `_OTHER` for any other: gives none out, counts nothing. */
  find(value: string | undefined): number;
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

/** A text that every exposition format can carry, of bounded length. */
export function clean(text: string): string {
  return (text.length > MAX_LENGTH ? cut(text) : text).replace(UNPRINTABLE, '_');
}

/** The beginning of a text, up to a whole character, as a string of its own: a slice would keep all of it alive. */
function cut(text: string): string {
  const end =
    text.codePointAt(MAX_LENGTH - 1) === text.charCodeAt(MAX_LENGTH - 1) ? MAX_LENGTH : MAX_LENGTH - 1;
  return Array.from(text.slice(0, end)).join('');
}

/** What a value is recorded as, were there no cap. */
export function labelFor(value: string | undefined): string {
  return typeof value === 'string' && value !== '' ? clean(value) : UNNAMED;
}

/** Whether a spelling may be kept: what users gave may be of any type and size. */
function isShort(value: unknown): boolean {
  return value === undefined || (typeof value === 'string' && value.length <= MAX_LENGTH);
}

/** The given values, at most `more` beside them, and `_OTHER` for the rest. */
export function createLabels(given: readonly string[], more: number): Labels {
  const values = [OTHER, ...given];
  const size = values.length + more;
  const numbers = new Map(values.map((value, index) => [value, index]));
  const spellings = new Map<string | undefined, number>();
  let overflows = 0;

  function lookUp(value: string | undefined): number {
    const name = labelFor(value);
    let index = numbers.get(name);
    if (index === undefined) {
      if (values.length === size) {
        overflows++;
        return 0;
      }
      index = values.push(name) - 1;
      numbers.set(name, index);
    }
    if (isShort(value) && spellings.size < size * SPELLINGS) spellings.set(value, index);
    return index;
  }

  return {
    index: (value) => spellings.get(value) ?? lookUp(value),
    find: (value) => spellings.get(value) ?? numbers.get(labelFor(value)) ?? 0,
    value: (index) => values[index] ?? OTHER,
    isGiven: (index) => index < values.length,
    size,
    get overflows() {
      return overflows;
    },
  };
}

/** As `index`, for values that mostly come as the one before: that one is known by a comparison. */
export function repeated(labels: Labels): (value: string | undefined) => number {
  const last: { value: string | undefined; index: number } = { value: undefined, index: 0 };
  return (value) => {
    // Each one recorded as `_OTHER` is counted.
    if (value === last.value && last.index !== 0) return last.index;
    last.index = labels.index(value);
    last.value = value;
    return last.index;
  };
}
