import type { Context as OtelContext } from '@opentelemetry/api';

// Bad input is refused at once, by name, before anything is half-built.

function show(value: unknown): string {
  if (value === null) return 'null';
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  if (typeof value === 'object') return 'an object';
  if (typeof value === 'function') return 'a function';
  return String(value);
}

/** An argument of the wrong kind. */
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

export function checkOptions(value: unknown, name: string): void {
  if (value !== undefined && (typeof value !== 'object' || value === null)) {
    throw wrongType(name, 'an options object', value);
  }
}
