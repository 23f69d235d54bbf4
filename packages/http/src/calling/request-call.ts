import { subscribe } from 'node:diagnostics_channel';
import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Context } from '@curfew/context';
import { automaticError, isDeadlineExceeded, markAutomatic, onEnd } from '@curfew/context/spi';
import { TIMEOUT_HEADER } from '@curfew/propagation';
import { budgetFor, deadlinePassed, endCall, FOLLOWING, isOurDeadline } from './outgoing-call';

/** How a request ends with its context. The explicit form takes over what the patched one, which is inner, began. */
interface Following {
  readonly ctx: Context;
  automatic: boolean;
  /** Whether its response is our own deadline, and not for the program. */
  withheld: boolean;
}

type Request = ClientRequest & {
  [FOLLOWING]?: Following;
  /** `null` before there is one, and after an informational one. */
  readonly res?: IncomingMessage | null;
};

/** Ends a request with a context, and tells the server how long it has. */
export function follow(ctx: Context, request: Request, automatic: boolean): void {
  const already = request[FOLLOWING];
  if (already !== undefined) {
    if (!automatic) already.automatic = false;
    return;
  }
  const following: Following = { ctx, automatic, withheld: false };
  request[FOLLOWING] = following;
  watchResponses();
  writeBudget(ctx, request);
  const stop = onEnd(ctx, () => endCall(ctx, following.automatic, () => end(ctx, request, following)));
  // Emitted when the response has been read to its end, or the connection is gone: until then it can be aborted.
  request.once('close', stop);
}

function end(ctx: Context, request: Request, { automatic, withheld }: Following): void {
  // Over by now, and its connection may be another request's already; or ended by its own program.
  if (request.destroyed || request.res?.destroyed === true) return;
  if (automatic) cut(request, automaticError(ctx), withheld);
  else (request.res ?? request).destroy(abortError(ctx.err()));
}

let watching = false;

/** Subscribes on first use, and for good: calls that outlive an undo end with their context, too. */
function watchResponses(): void {
  if (watching) return;
  watching = true;
  subscribe('http.client.response.finish', (message) => {
    const { request, response } = message as { request: Request; response: IncomingMessage };
    const following = request[FOLLOWING];
    if (following?.automatic === true && isOurDeadline(following.ctx, response.statusCode)) {
      void withhold(request, response, following);
    }
  });
}

/** Keeps a response, unread, from a request that is to fail in a moment. Told of it just before everybody else. */
async function withhold(request: Request, response: IncomingMessage, following: Following): Promise<void> {
  following.withheld = true;
  const emit = request.emit.bind(request) as (event: unknown, ...args: unknown[]) => boolean;
  request.emit = (event: unknown, ...args: unknown[]) =>
    (event === 'response' && following.withheld) || emit(event, ...args);
  if (await deadlinePassed(following.ctx)) return;
  following.withheld = false;
  if (!emit('response', response)) response.resume();
}

/** Tells the server how long it has. Headers given as an array, or with `expect`, have been written by now. */
function writeBudget(ctx: Context, request: Request): void {
  if (request.headersSent) return;
  const budget = budgetFor(ctx, request.host, request.getHeader(TIMEOUT_HEADER));
  if (budget !== undefined) request.setHeader(TIMEOUT_HEADER, budget);
}

/**
 * Ends a request that its program did not expect to end. After a hang-up it looks as `destroy()` does, since that is
 * what proxies, which end a request so when their client leaves, forgive; after a deadline as an aborted signal does,
 * which nobody tries again. Of a response under way the connection goes, as if the server had gone.
 */
function cut(request: Request, error: Error, withheld: boolean): void {
  survive(request, error);
  const { res } = request;
  if (res && !withheld) {
    survive(res, error);
    // `res.destroy(error)` would be told once more by the request, whose listeners have done their work by now.
    res.socket.destroy();
  } else if (isDeadlineExceeded(error)) request.destroy(abortError(error));
  else request.destroy();
}

/**
 * Sees to it that the error which Node makes of a connection that is gone is known as ours, and ends nothing: neither
 * the process, where nobody listens to it, nor Node's own clean-up, where a listener throws. That surfaces later.
 */
function survive(emitter: Request | IncomingMessage, cause: Error): void {
  if (emitter.listenerCount('error') === 0) emitter.on('error', () => undefined);
  const emit = emitter.emit.bind(emitter) as (event: unknown, ...args: unknown[]) => boolean;
  emitter.emit = (event: unknown, ...args: unknown[]) => {
    if (event !== 'error') return emit(event, ...args);
    markOurs(args[0], cause);
    try {
      return emit(event, ...args);
    } catch (thrown) {
      process.nextTick(() => {
        throw thrown;
      });
      return true;
    }
  };
}

/** Marks an error that Node made as ours, and gives it its cause. */
function markOurs(error: unknown, cause: Error): void {
  if (typeof error !== 'object' || error === null || error === cause) return;
  if ((error as Error).cause === undefined) {
    Object.defineProperty(error, 'cause', {
      value: cause,
      configurable: true,
      enumerable: false,
      writable: true,
    });
  }
  markAutomatic(error);
}

/** Node's own AbortError, which its users know. Why the context ended is its cause. */
export function abortError(cause: unknown): Error {
  const error = new Error('The operation was aborted', { cause });
  error.name = 'AbortError';
  return Object.assign(error, { code: 'ABORT_ERR' });
}
