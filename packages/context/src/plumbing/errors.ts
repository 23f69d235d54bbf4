import { AUTOMATIC } from './keys';

/**
 * The two errors of a context that ended. They are told by a registered symbol, never by `instanceof`,
 * so that two installed copies of this package and Jest's realms agree.
 */
const BRAND = Symbol.for('@curfew/context.error.v1');

/** Options of the errors, as of `Error`: the cause is kept by identity and never looked into, whatever it is. */
export interface EndErrorOptions {
  readonly cause?: unknown;
}

/**
 * Somebody cancelled the context. Named `AbortError`, as Node's own, so that existing checks by name hold.
 * The message is Go's; `cause` is what was given to the cancel function. One cancellation makes one error: every
 * context that it ended returns the same one, and it is the `reason` of their signals. It carries no stack, which
 * would name whoever asked first and not who cancelled. `instanceof` fails where two copies of this package are
 * installed: use `isCanceled`.
 *
 * @example
 * ```ts
 * import { background, withCancel, CanceledError } from '@curfew/context';
 * const [ctx, cancel] = withCancel(background());
 * cancel('why');
 * const error = ctx.err();
 * error instanceof CanceledError; // => true
 * [error?.name, error?.message, error?.cause]; // => ['AbortError', 'context canceled', 'why']
 * ctx.signal.reason === error; // => true
 * ```
 */
export class CanceledError extends Error {
  override readonly name = 'AbortError';
  readonly code = 'ABORT_ERR';

  constructor(options?: EndErrorOptions) {
    super('context canceled', options);
    Object.defineProperty(this, BRAND, { value: 'canceled' });
  }
}

/**
 * The deadline of the context passed. Named `TimeoutError`, as AbortSignal.timeout's own; `timeout` is true,
 * as Go's `Timeout()`; `cause` is the `cause` option of whoever set the deadline. Otherwise as `CanceledError`.
 *
 * @example
 * ```ts
 * import { background, withTimeout, DeadlineExceededError } from '@curfew/context';
 * const error = withTimeout(background(), 0, { cause: 'slow' })[0].err();
 * error instanceof DeadlineExceededError; // => true
 * [error?.name, error?.message, error?.cause]; // => ['TimeoutError', 'context deadline exceeded', 'slow']
 * ```
 */
export class DeadlineExceededError extends Error {
  override readonly name = 'TimeoutError';
  readonly code = 'ERR_DEADLINE_EXCEEDED';
  readonly timeout = true;

  constructor(options?: EndErrorOptions) {
    super('context deadline exceeded', options);
    Object.defineProperty(this, BRAND, { value: 'deadline_exceeded' });
  }
}

/** Why a context ended other than by completing. */
export type Reason = 'canceled' | 'deadline_exceeded';

/** How many causes deep `reasonOf` looks. A chain longer than this is a cycle or a mistake. */
const MAX_CAUSES = 16;

/**
 * The reason that an error carries, through wrapped causes (16 deep) and across duplicate installs; `undefined` if
 * it has nothing to do with the end of a context. A plain AbortError of somebody else's has not, though a context
 * that such a signal ended has. Never throws, even for an error whose getters do.
 *
 * @example
 * ```ts
 * import { reasonOf, CanceledError } from '@curfew/context';
 * reasonOf(new Error('wrapped', { cause: new CanceledError() })); // => 'canceled'
 * reasonOf(new Error('boom')); // => undefined
 * ```
 */
export function reasonOf(error: unknown): Reason | undefined {
  try {
    let current = error;
    for (let depth = 0; depth < MAX_CAUSES; depth++) {
      if ((typeof current !== 'object' && typeof current !== 'function') || current === null)
        return undefined;
      const brand = (current as { [BRAND]?: unknown })[BRAND];
      if (brand === 'canceled' || brand === 'deadline_exceeded') return brand;
      current = (current as { cause?: unknown }).cause;
    }
  } catch {
    // A getter of a stranger's error threw: that error is not one of ours.
  }
  return undefined;
}

/**
 * Whether an error says that a context was canceled, through wrapped causes and across duplicate installs. Takes
 * anything, never throws. False for a deadline: an intentional cancel is no failure, a deadline is.
 *
 * @example
 * ```ts
 * import { background, withCancel, isCanceled } from '@curfew/context';
 * const [ctx, cancel] = withCancel(background());
 * cancel();
 * isCanceled(ctx.err()); // => true
 * isCanceled(new Error('query failed', { cause: ctx.err() })); // => true
 * isCanceled(undefined); // => false
 * ```
 */
export function isCanceled(error: unknown): boolean {
  return reasonOf(error) === 'canceled';
}

/**
 * Whether an error says that a deadline passed, through wrapped causes and across duplicate installs. Takes
 * anything, never throws.
 *
 * @example
 * ```ts
 * import { background, withTimeout, isCanceled, isDeadlineExceeded } from '@curfew/context';
 * const [ctx] = withTimeout(background(), 0);
 * isDeadlineExceeded(ctx.err()); // => true
 * isCanceled(ctx.err()); // => false
 * ```
 */
export function isDeadlineExceeded(error: unknown): boolean {
  return reasonOf(error) === 'deadline_exceeded';
}

/**
 * Marks an error of an adapter's own as that of an automatic cancellation, for the guard; returns it. Never throws: one
 * that is frozen is told by its cause, or not at all.
 *
 * @example
 * ```ts
 * import { isAutomatic, markAutomatic } from '@curfew/context/spi';
 * const hungUp = markAutomatic(Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' }));
 * isAutomatic(new Error('upstream failed', { cause: hungUp })); // => true
 * ```
 */
export function markAutomatic<E extends object>(error: E): E {
  try {
    Object.defineProperty(error, AUTOMATIC, { value: true });
  } catch {
    // Frozen, or a proxy that takes no properties.
  }
  return error;
}

/**
 * Makes the error of a cancellation without a stack. It is made when somebody first asks for it, so a stack
 * would name the reader instead of the canceller, and capturing one costs several microseconds.
 */
export function endError(
  reason: Reason,
  options: EndErrorOptions | undefined,
): CanceledError | DeadlineExceededError {
  const limit = stackTraceLimit(0);
  const error = reason === 'canceled' ? new CanceledError(options) : new DeadlineExceededError(options);
  stackTraceLimit(limit);
  return error;
}

/** Sets how deep V8 captures stacks; returns what it was. Where intrinsics are frozen, it stays as it is. */
function stackTraceLimit(limit: number | undefined): number | undefined {
  const v8 = Error as { stackTraceLimit?: number | undefined };
  const former = v8.stackTraceLimit;
  try {
    v8.stackTraceLimit = limit;
  } catch {
    // `--frozen-intrinsics`: the error then carries a stack.
  }
  return former;
}
