import type { Context as OtelContext } from '@opentelemetry/api';

// Bad input is refused at once, by name, before anything is half-built.

function show(value: unknown): string {
  if (value === null) return 'null';
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  if (typeof value === 'object') return 'an object';
  if (typeof value === 'function') return 'a function';
  return String(value);
}

/**
 * The error for an argument of the wrong kind; it shows what was given, cut short. Never throws.
 *
 * @example
 * ```ts
 * import { wrongType } from '@curfew/context/spi';
 * wrongType('client', 'a client of pg', 7).message; // => 'client must be a client of pg, got 7'
 * ```
 */
export function wrongType(name: string, expected: string, value: unknown): TypeError {
  return new TypeError(`${name} must be ${expected}, got ${show(value)}`);
}

export function isContext(value: unknown): value is OtelContext {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as OtelContext).getValue === 'function' &&
    typeof (value as OtelContext).setValue === 'function' &&
    typeof (value as OtelContext).deleteValue === 'function'
  );
}

export function checkContext(value: unknown, name: string): asserts value is OtelContext {
  if (!isContext(value)) throw wrongType(name, 'an OpenTelemetry Context', value);
}

/**
 * Refuses what is no function.
 *
 * @throws TypeError naming the argument.
 * @example
 * ```ts
 * import { checkFunction } from '@curfew/context/spi';
 * let refused = '';
 * try {
 *   checkFunction('later', 'listener');
 * } catch (error) {
 *   refused = (error as Error).message;
 * }
 * refused; // => 'listener must be a function, got "later"'
 * ```
 */
export function checkFunction(value: unknown, name: string): void {
  if (typeof value !== 'function') throw wrongType(name, 'a function', value);
}

export function checkKey(value: unknown): asserts value is symbol {
  if (typeof value !== 'symbol') throw wrongType('key', 'a symbol, as createContextKey() makes it', value);
}

/** A duration in ms: any number but NaN. */
export function checkDuration(value: unknown, name: string): asserts value is number {
  if (typeof value !== 'number') throw wrongType(name, 'a number of milliseconds', value);
  if (Number.isNaN(value)) throw new RangeError(`${name} must be a number of milliseconds, got NaN`);
}

/**
 * Refuses a limit that is no number of milliseconds from 0 on: where it is set, for the first request would be a poor
 * place to learn of it. `undefined` is none; NaN is what a variable of the environment gives that is not set.
 *
 * @throws TypeError if it is no number; RangeError if it is NaN or negative.
 * @example
 * ```ts
 * import { checkLimit } from '@curfew/context/spi';
 * checkLimit(undefined, 'options.timeout');
 * checkLimit(30_000, 'options.timeout');
 * let refused = '';
 * try {
 *   checkLimit(NaN, 'options.timeout');
 * } catch (error) {
 *   refused = (error as Error).message;
 * }
 * refused; // => 'options.timeout must be 0 or more milliseconds, got NaN'
 * ```
 */
export function checkLimit(value: unknown, name: string): asserts value is number | undefined {
  if (value !== undefined) checkNumber(value, name, { least: 0, most: Infinity, unit: 'milliseconds' });
}

/** What a number may be. */
export interface NumberRange {
  readonly least: number;
  /** `Infinity`, which it may be itself, for no upper end. */
  readonly most: number;
  readonly whole?: boolean;
  /** What it is a number of, where it is not a bare one. */
  readonly unit?: string;
}

/**
 * Refuses what is no number of a range; NaN is in none.
 *
 * @throws TypeError if it is no number; RangeError if it is out of range.
 * @example
 * ```ts
 * import { checkNumber } from '@curfew/context/spi';
 * let refused = '';
 * try {
 *   checkNumber(0.5, 'options.maxNames', { least: 1, most: 10_000, whole: true });
 * } catch (error) {
 *   refused = (error as Error).message;
 * }
 * refused; // => 'options.maxNames must be a whole number from 1 to 10000, got 0.5'
 * ```
 */
export function checkNumber(value: unknown, name: string, range: NumberRange): asserts value is number {
  const { least, most, whole = false, unit } = range;
  const what = `a ${whole ? 'whole ' : ''}number`;
  if (typeof value !== 'number')
    throw wrongType(name, unit === undefined ? what : `${what} of ${unit}`, value);
  if (value >= least && value <= most && (!whole || Number.isInteger(value))) return;
  const limits = most === Infinity ? `${least} or more` : `from ${least} to ${most}`;
  const expected = [...(whole ? [what] : []), limits, ...(unit === undefined ? [] : [unit])].join(' ');
  throw new RangeError(`${name} must be ${expected}, got ${value}`);
}

/**
 * Refuses what is none of a few words. `undefined` is for whoever has a default.
 *
 * @throws TypeError naming the argument and the words.
 * @example
 * ```ts
 * import { checkChoice } from '@curfew/context/spi';
 * let refused = '';
 * try {
 *   checkChoice('stop', 'options.endOnFinish', ['retire', 'cancel']);
 * } catch (error) {
 *   refused = (error as Error).message;
 * }
 * refused; // => `options.endOnFinish must be 'retire' or 'cancel', got "stop"`
 * ```
 */
export function checkChoice(value: unknown, name: string, choices: readonly string[]): void {
  if (value === undefined || choices.includes(value as string)) return;
  throw wrongType(name, choices.map((choice) => `'${choice}'`).join(' or '), value);
}

/** Epoch milliseconds of a Date or a number. */
export function checkInstant(value: unknown, name: string): number {
  const at =
    Object.prototype.toString.call(value) === '[object Date]' ? (value as Date).getTime() : (value as number);
  if (typeof at !== 'number') throw wrongType(name, 'a Date or a number of epoch milliseconds', value);
  if (Number.isNaN(at)) throw new RangeError(`${name} must be a valid Date or number, got NaN`);
  return at;
}

export function checkSignal(value: unknown, name: string): asserts value is AbortSignal {
  // By tag: an AbortSignal of another realm is one too, an object with the same methods is not.
  if (
    Object.prototype.toString.call(value) !== '[object AbortSignal]' ||
    typeof (value as AbortSignal).aborted !== 'boolean' ||
    typeof (value as Partial<AbortSignal>).addEventListener !== 'function'
  ) {
    throw wrongType(name, 'an AbortSignal', value);
  }
}

/**
 * Refuses options that are no object; `undefined` is none.
 *
 * @throws TypeError naming the argument.
 * @example
 * ```ts
 * import { checkOptions } from '@curfew/context/spi';
 * let refused = '';
 * try {
 *   checkOptions(250, 'options');
 * } catch (error) {
 *   refused = (error as Error).message;
 * }
 * refused; // => 'options must be an options object, got 250'
 * ```
 */
export function checkOptions(value: unknown, name: string): void {
  if (value !== undefined && (typeof value !== 'object' || value === null)) {
    throw wrongType(name, 'an options object', value);
  }
}
