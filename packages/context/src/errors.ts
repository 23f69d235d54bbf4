/**
 * The two errors of a context that ended. They are told by a registered symbol, never by `instanceof`,
 * so that two installed copies of this package and Jest's realms agree.
 */
const BRAND = Symbol.for('@curfew/context.error');

/** Options of the errors, as of `Error`: the cause is kept by identity and never looked into. */
export interface EndErrorOptions {
  readonly cause?: unknown;
}

/**
 * Somebody cancelled the context. Named `AbortError`, as Node's own, so that existing checks by name hold.
 * The message is Go's; `cause` is what was given to the cancel function.
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
 * as Go's `Timeout()`.
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
 * The reason that an error carries, through wrapped causes and across duplicate installs; `undefined` if it
 * has nothing to do with the end of a context. Never throws, even for an error whose getters do.
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

/** Whether an error says that a context was canceled, through wrapped causes and across duplicate installs. */
export function isCanceled(error: unknown): boolean {
  return reasonOf(error) === 'canceled';
}

/** Whether an error says that a deadline passed, through wrapped causes and across duplicate installs. */
export function isDeadlineExceeded(error: unknown): boolean {
  return reasonOf(error) === 'deadline_exceeded';
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
