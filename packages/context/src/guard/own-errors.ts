import { context, type Context } from '@opentelemetry/api';
import { AUTOMATIC } from '../plumbing/keys';
import type { Ending } from '../plumbing/protocol';
import { nodeOf } from '../tree/carried';
import { runtime } from '../plumbing/runtime';

/** How many errors are looked at, causes and members of an AggregateError together. */
const MAX_ERRORS = 64;

/** Whether an error, one that it wraps, under whatever name, or one of those it sums up is such a one. Never throws. */
function some(error: unknown, is: (each: ErrorLike) => boolean): boolean {
  // A set: a chain of causes may lead back to its beginning.
  const found = new Set([error]);
  try {
    for (const each of found) {
      if ((typeof each !== 'object' && typeof each !== 'function') || each === null) continue;
      if (is(each)) return true;
      const { cause, name, errors } = each as ErrorLike;
      found.add(cause);
      // Many keep it elsewhere: `original`, `parent`, `driverError`, `originalError`.
      for (const value of Object.values(each)) if (isError(value)) found.add(value);
      if (name === 'AggregateError' && Array.isArray(errors)) for (const one of errors) found.add(one);
      if (found.size > MAX_ERRORS) return false;
    }
  } catch {
    // A getter of a stranger's error threw: that error is not one of ours.
  }
  return false;
}

/** Told by tag: errors come from other realms, too. */
function isError(value: unknown): boolean {
  return Object.prototype.toString.call(value) === '[object Error]';
}

/** What a stranger's error may have. */
interface ErrorLike {
  readonly name?: unknown;
  readonly code?: unknown;
  readonly message?: unknown;
  readonly cause?: unknown;
  readonly errors?: unknown;
  readonly [AUTOMATIC]?: unknown;
}

/**
 * Whether an error is that of an automatic cancellation, wraps one, or sums one up (AggregateError). Never throws.
 *
 * @example
 * ```ts
 * import { isAutomatic, markAutomatic } from '@curfew/context/spi';
 * const cause = markAutomatic(new Error('socket hang up'));
 * isAutomatic(new AggregateError([new Error('the price service failed', { cause })])); // => true
 * isAutomatic(new Error('out of stock')); // => false
 * ```
 */
export function isAutomatic(error: unknown): boolean {
  return some(error, (each) => each[AUTOMATIC] === true);
}

/**
 * Notes that an automatic call was cut off or refused, or an answer given in place of a handler's, because this context
 * has ended: for a while, what is cut fails under it for us alone. Does nothing for one that has not ended.
 * Never throws on a context.
 *
 * @example
 * ```ts
 * import { background, withCancel } from '@curfew/context';
 * import { end, endingOf, noteCut } from '@curfew/context/spi';
 * const [request] = withCancel(background());
 * end(request, { origin: 'client_disconnect', automatic: true });
 * noteCut(request); // what the guard sees of this request from now on may be our doing
 * endingOf(request)?.automatic; // => true
 * ```
 */
export function noteCut(ctx: Context): void {
  const ending = nodeOf(ctx)?.ending;
  if (ending !== undefined) runtime.cuts.set(ending, runtime.clock.now());
}

/**
 * Whether an error that nobody handled comes of what Curfew cut off by itself, so that without Curfew there would be
 * none. Asked in the asynchronous context that the error was raised in, which Node keeps up to its last word.
 *
 * It is told by its mark. Failing that (many clients throw an error of their own, without a cause), by where it was
 * raised and what it looks like: under a context that Curfew ended and the program did not, and as what is cut fails.
 */
export function isOwn(error: unknown): boolean {
  if (isAutomatic(error)) return true;
  const ending = nodeOf(context.active())?.ending;
  if (ending === undefined || !ending.automatic) return false;
  // A response that its client left behind fails for everybody; one that was cut at our deadline, for us alone.
  if (some(error, isResponseGone)) return ending.reason === 'deadline_exceeded';
  return wasCut(ending) && some(error, isCut);
}

/**
 * Milliseconds. What comes later after the last call that was cut is not its doing: what a request made for everybody
 * (a connection to a cache, opened at the first use) stays in its context for good.
 */
const AFTERMATH = 10_000;

function wasCut(ending: Ending): boolean {
  const at = runtime.cuts.get(ending);
  return at !== undefined && runtime.clock.now() - at < AFTERMATH;
}

/** What streams say of a response that has closed before its end: `pipeline`, a write, `pipeTo`, `Writable.toWeb`. */
function isResponseGone({ code, message }: ErrorLike): boolean {
  switch (code) {
    case 'ERR_STREAM_DESTROYED':
    // What Node.js 24 says of a `pipeline` that begins after the close.
    case 'ERR_STREAM_UNABLE_TO_PIPE':
      return true;
    case 'ERR_STREAM_PREMATURE_CLOSE':
      // Clients that know the code give it to a body that broke off, in words of their own.
      return message === 'Premature close';
    case 'ERR_INVALID_STATE':
      return String(message).includes('WritableStream');
    default:
      return false;
  }
}

/** What clients say of a call that was aborted or whose connection was closed under it. */
const CUT_CODES = new Set<unknown>([
  'ABORT_ERR',
  'ECONNABORTED',
  'ECONNRESET',
  'ERR_ABORTED',
  'ERR_CANCELED',
  'ERR_STREAM_PREMATURE_CLOSE',
  'UND_ERR_ABORTED',
]);

function isCut({ name, code, message }: ErrorLike): boolean {
  return name === 'AbortError' || CUT_CODES.has(code) || /\baborted\b|^terminated$/i.test(String(message));
}
