/** The header in which Curfew's own HTTP clients send what is left of a budget: whole milliseconds. */
export const TIMEOUT_HEADER = 'x-request-timeout-ms';

const MILLISECONDS = /^\d{1,10}$/;
const GRPC = /^(\d{1,8})([HMSmun])$/;

const GRPC_UNITS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};

/** What ten digits can say: 115 days. */
const MOST = 9_999_999_999;

/**
 * Reads a timeout in whole milliseconds, one to ten digits and nothing else: the form of `x-request-timeout-ms`.
 *
 * @returns Milliseconds, 0 for a budget that is spent; `undefined` for anything else, be it no string. Never throws.
 * @example
 * ```ts
 * import { parseTimeoutMs } from '@curfew/propagation';
 * parseTimeoutMs('250'); // => 250
 * parseTimeoutMs('-250'); // => undefined
 * ```
 */
export function parseTimeoutMs(text: unknown): number | undefined {
  return typeof text === 'string' && MILLISECONDS.test(text) ? Number(text) : undefined;
}

/**
 * Reads Connect's `connect-timeout-ms`, which has the form of `parseTimeoutMs`.
 *
 * @returns Milliseconds; `undefined` for anything else. Never throws.
 */
export function parseConnectTimeout(text: unknown): number | undefined {
  return parseTimeoutMs(text);
}

/**
 * Reads `grpc-timeout`: one to eight digits and a unit of `HMSmun`, as gRPC over HTTP/2 lays down. It is anchored
 * at both ends, and large values stay large: grpc-js 1.14 reads `597H` as a negative timeout and `junk5Sjunk` as 5 s.
 *
 * @returns Milliseconds, with a fraction where the unit is finer; `undefined` for anything else. Never throws.
 * @example
 * ```ts
 * import { parseGrpcTimeout } from '@curfew/propagation';
 * parseGrpcTimeout('5S'); // => 5000
 * parseGrpcTimeout('597H'); // => 2149200000
 * parseGrpcTimeout('junk5Sjunk'); // => undefined
 * ```
 */
export function parseGrpcTimeout(text: unknown): number | undefined {
  if (typeof text !== 'string') return undefined;
  const match = GRPC.exec(text);
  if (match === null) return undefined;
  return Number(match[1]) * (GRPC_UNITS[match[2] as string] as number);
}

/**
 * Writes a budget as `parseTimeoutMs` reads it: whole milliseconds rounded down, so that nobody is promised more
 * than there is.
 *
 * @param ms Milliseconds. What is spent becomes `'0'`; more than ten digits can say becomes as much as they can.
 * @returns `undefined` for `Infinity` and NaN, which are no budget. Never throws.
 */
export function formatTimeoutMs(ms: number): string | undefined {
  if (Number.isNaN(ms) || ms === Infinity) return undefined;
  return String(ms <= 0 ? 0 : Math.min(Math.floor(ms), MOST));
}
