import { createContextKey, defaultTextMapGetter, type Context, type TextMapGetter } from '@opentelemetry/api';
import type { Cancel, CancelContext, DeriveOptions } from '@curfew/context';
import { checkLimit, checkOptions, clock, withCancel, withLimit, wrongType } from '@curfew/context/spi';
import { deadlineReceived, type ReceivedDeadline } from './events';
import { parseConnectTimeout, parseGrpcTimeout, parseTimeoutMs, TIMEOUT_HEADER } from './timeout';

/** What an inbound carrier brought: what the hooks are told, and what the peer had asked for. */
export interface InboundDeadline extends ReceivedDeadline {
  /** Milliseconds as sent, before the cap; `undefined` where none was understood. */
  readonly sent: number | undefined;
}

/**
 * Reads what a carrier brings and tells `deadlineReceived` once, with `ctx`, in which the other propagators have
 * put the caller's trace. Never throws.
 */
export type ReadDeadline = (carrier: unknown, getter?: TextMapGetter, ctx?: Context) => InboundDeadline;

/** How deadlines are read from the wire. */
export interface ReceiveOptions {
  /**
   * The headers to read, in lower case; the smallest valid value counts. `grpc-timeout` and `connect-timeout-ms`
   * are read in their own forms, every other one as whole milliseconds. `['x-request-timeout-ms']` unless given.
   */
  readonly headers?: readonly string[];
  /**
   * The most that a peer may ask for, in milliseconds: 1 hour unless given, `Infinity` for no limit. More is
   * capped and counted as `too_large`.
   */
  readonly maxTimeout?: number;
}

const HOUR = 3_600_000;

type Parser = (text: unknown) => number | undefined;

function parserFor(header: string): Parser {
  if (header === 'grpc-timeout') return parseGrpcTimeout;
  if (header === 'connect-timeout-ms') return parseConnectTimeout;
  return parseTimeoutMs;
}

/**
 * Makes a function that reads the deadline out of headers: strictly, capped, never throwing, and counted through
 * `deadlineReceived` as `ok`, `none`, `malformed` or `too_large`. Several headers make one count: that of
 * the smallest valid value, else of the first malformed one.
 *
 * @throws TypeError, here and not at a request, if `maxTimeout` is no number or `headers` no array of names; RangeError if
 *   `maxTimeout` is NaN or negative.
 * @example
 * ```ts
 * import { deadlineReader } from '@curfew/propagation';
 * const read = deadlineReader({ maxTimeout: 60_000 });
 * read({ 'x-request-timeout-ms': '250' }).remaining; // => 250
 * read({ 'x-request-timeout-ms': '3600000' }).remaining; // => 60000
 * read({ 'x-request-timeout-ms': 'soon' }).remaining; // => undefined
 * ```
 */
export function deadlineReader(options: ReceiveOptions = {}): ReadDeadline {
  const read = headerReader(options);
  return (carrier, getter = defaultTextMapGetter, ctx) => {
    const inbound = read(carrier, getter);
    tellReceived(inbound, ctx);
    return inbound;
  };
}

/**
 * Tells `deadlineReceived` what a request brought: for an adapter whose `plant` takes it. Each arrival is told once, however
 * often its headers are read. Never throws.
 *
 * @param ctx What the other propagators have put the caller's trace in.
 */
export function tellReceived({ source, outcome, remaining }: InboundDeadline, ctx?: Context): void {
  // Member by member: a spread takes a microsecond, which is more than all else that is done for a request here.
  deadlineReceived.tell?.({ source, outcome, remaining, ctx });
}

/** As `deadlineReader`, of what is told by whoever takes it. */
export function headerReader(
  options: ReceiveOptions,
): (carrier: unknown, getter: TextMapGetter) => InboundDeadline {
  checkOptions(options, 'options');
  const { headers = [TIMEOUT_HEADER], maxTimeout = HOUR } = options;
  checkNames(headers, 'options.headers');
  checkLimit(maxTimeout, 'options.maxTimeout');
  const sources = headers.map((name) => ({ name: name.toLowerCase(), parse: parserFor(name.toLowerCase()) }));
  const absent: InboundDeadline = outcome(sources[0]?.name ?? TIMEOUT_HEADER, 'none');

  return (carrier, getter) => {
    let found = absent;
    for (const { name, parse } of sources) {
      const text = only(get(getter, carrier, name));
      if (text === undefined) continue;
      const sent = parse(text);
      if (sent === undefined) {
        if (found === absent) found = outcome(name, 'malformed');
      } else if (found.sent === undefined || sent < found.sent) {
        found =
          sent > maxTimeout
            ? { source: name, outcome: 'too_large', remaining: maxTimeout, sent }
            : { source: name, outcome: 'ok', remaining: sent, sent };
      }
    }
    return found;
  };
}

function checkNames(value: unknown, name: string): void {
  if (!Array.isArray(value) || !value.every((each) => typeof each === 'string'))
    throw wrongType(name, 'an array of header names', value);
}

function outcome(source: string, outcome: 'none' | 'malformed'): InboundDeadline {
  return { source, outcome, remaining: undefined, sent: undefined };
}

/** A getter is somebody else's, and a carrier anybody's: neither may throw into whoever extracts. */
function get(getter: TextMapGetter, carrier: unknown, name: string): unknown {
  try {
    return getter.get(carrier, name);
  } catch {
    return undefined;
  }
}

/** A header given once. An array of two is contradictory; no parser takes an array. */
function only(value: unknown): unknown {
  return Array.isArray(value) && value.length <= 1 ? (value[0] as unknown) : value;
}

const RECEIVED = createContextKey('@curfew/propagation.received.v1');

interface Arrival {
  readonly inbound: InboundDeadline;
  /** Monotonic milliseconds of the deadline; Infinity without one. */
  readonly at: number;
}

/** Puts what arrived into a context as a value: whoever starts the work derives a deadline from it. */
export function putReceived(ctx: Context, inbound: InboundDeadline): Context {
  const at = inbound.remaining === undefined ? Infinity : clock().now() + inbound.remaining;
  return ctx.setValue(RECEIVED, { inbound, at } satisfies Arrival);
}

/**
 * What `DeadlinePropagator.extract` found for this context, with the time that has passed since taken off;
 * `undefined` if it never saw the carrier, or if an adapter has already made the deadline part of the context.
 */
export function receivedDeadline(ctx: Context): InboundDeadline | undefined {
  const arrival = ctx.getValue(RECEIVED) as Arrival | undefined;
  if (arrival === undefined) return undefined;
  const { inbound, at } = arrival;
  return at === Infinity ? inbound : { ...inbound, remaining: Math.max(0, at - clock().now()) };
}

/**
 * Derives a context that ends at the deadline which `DeadlinePropagator.extract` put into `ctx`: for consumers
 * of messages and for servers that have no adapter of their own. Without one, the context ends when cancelled.
 * A deadline that has passed on the way gives a context that is done already. In observe mode the sender's deadline
 * limits nothing.
 *
 * @throws TypeError if the parent is no Context.
 * @example
 * ```ts
 * import { propagation } from '@opentelemetry/api';
 * import { background } from '@curfew/context';
 * import { withReceivedDeadline } from '@curfew/propagation';
 * const [ctx, cancel] = withReceivedDeadline(propagation.extract(background(), message.headers));
 * using _ = cancel;
 * ```
 */
export function withReceivedDeadline(parent: Context, options?: DeriveOptions): [CancelContext, Cancel] {
  const remaining = receivedDeadline(parent)?.remaining;
  return remaining === undefined ? withCancel(parent, options) : withLimit(parent, remaining, options);
}
