import type { PgOptions } from './types';

/**
 * Refuses options of the wrong kind by name and at once, before they decide about any query.
 *
 * @throws TypeError or RangeError.
 */
export function checkOptions(options: PgOptions): void {
  if (typeof (options as unknown) !== 'object' || (options as unknown) === null) {
    throw new TypeError('options must be an object');
  }
  checkMilliseconds(options.cancelTimeout, 'options.cancelTimeout');
  checkMilliseconds(options.grace, 'options.grace');
}

/** `Number(process.env.MISSING)` is NaN, which a timer takes for no time at all. */
export function checkMilliseconds(value: unknown, name: string): void {
  if (value === undefined) return;
  if (typeof value !== 'number') {
    throw new TypeError(
      `${name} must be a number of milliseconds, got ${value === null ? 'null' : `a ${typeof value}`}`,
    );
  }
  if (!(value >= 0)) throw new RangeError(`${name} must be zero or more milliseconds, got ${value}`);
}
