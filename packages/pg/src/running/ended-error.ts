import type { Context } from '@curfew/context';
import {
  automaticError,
  CanceledError,
  DeadlineExceededError,
  isDeadlineExceeded,
} from '@curfew/context/spi';

/**
 * The error of a query that the server stopped because its context ended. The context's own error is one object
 * for everybody under it, so each query gets one like it, with PostgreSQL's error as its `cause`; and that one has
 * the context's error as its cause, which leads to what the canceller gave.
 */
export function endedError(
  ctx: Context,
  automatic: boolean,
  error: Error,
): CanceledError | DeadlineExceededError {
  const reason = ctx.err();
  if (error.cause === undefined)
    Object.defineProperty(error, 'cause', { value: reason, configurable: true, writable: true });
  if (automatic) return automaticError(ctx, error);
  return isDeadlineExceeded(reason)
    ? new DeadlineExceededError({ cause: error })
    : new CanceledError({ cause: error });
}

/**
 * Gives an error the stack of the code that awaits the query, as pg does: its own begins at the socket. The error
 * of a context is left as it is, because others have it too.
 */
export function withCallersStack<T>(ctx: Context, result: Promise<T>): Promise<T> {
  return result.catch((error: unknown) => {
    if (typeof error === 'object' && error !== null && error !== ctx.err()) Error.captureStackTrace(error);
    throw error;
  });
}
