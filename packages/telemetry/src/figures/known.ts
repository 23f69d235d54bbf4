import { LIMIT } from '../registry/value-numbers';
import { add, type Store } from './store';

/**
 * The number of a value of a closed set. An adapter of another version may tell a value that this one does not know:
 * it is recorded as the nearest one and counted as an overflow, since no count may be lost.
 */
export type Known = <V extends string>(
  numbering: Readonly<Record<V, number>>,
  value: V,
  nearest: V,
) => number;

export function createKnown(store: Store): Known {
  return (numbering, value, nearest) => {
    const number: unknown = numbering[value];
    // What is inherited, as by the name `constructor`, is no number.
    if (typeof number === 'number') return number;
    add(store.numbers.overflows, LIMIT.value, 1);
    return numbering[nearest];
  };
}
