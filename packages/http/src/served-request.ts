import type { Context as OtelContext } from '@opentelemetry/api';
import {
  isDeadlineExceeded,
  onEnd,
  withCancel,
  withTimeout,
  type Cancel,
  type CancelContext,
  type Context,
} from '@curfew/context';
import { clock, end, nodeOf, retire, type DisconnectCause, type Origin } from '@curfew/context/spi';
import type { InboundDeadline } from '@curfew/propagation';
import { onConnectionLost } from './queued-responses';
import { answerTimeout, isHttp2, type AnyResponse } from './timeout-answer';

/** How the context of a request ends. */
export interface ServerOptions {
  /** The server's own limit for each request, in milliseconds. A shorter budget of the client's goes before it. */
  readonly timeout?: number;
  /**
   * What happens to the context when the response has finished. `'retire'`, the default: it completes, its signal
   * never aborts, and work after the response goes on. `'cancel'`, as in Go: it is cancelled.
   */
  readonly endOnFinish?: 'retire' | 'cancel';
}

/** One name for all requests, so that what is counted by name counts requests. */
const REQUEST = { name: 'http.server' };

const SERVED = Symbol('curfew.served');

/** What is kept of a request on its response, so that one listener without a closure serves all responses. */
interface Served {
  readonly ctx: CancelContext;
  /** Where the context ends with the response: its release. */
  readonly release: Cancel | undefined;
  /** The budget as the client sent it, in milliseconds; `undefined` without one. */
  readonly sent: number | undefined;
  /** How much later than ours the client's deadline is, in milliseconds. */
  readonly margin: number;
  /** Undoes what a pipelined request needed. */
  unqueue: (() => void) | undefined;
}

type Marked<T> = T & { [SERVED]?: Served };

/**
 * The context of a request that is being served, or `undefined` if the request has none: for code without a
 * ContextManager, and for frameworks that lose the active context. Where there is one, `active()` says the same.
 *
 * @param request The request, or its response, of node:http or http2. With Fastify: `request.raw`.
 * @example
 * ```ts
 * import { requestContext } from '@curfew/http';
 * server.on('request', (request) => requestContext(request)?.remaining());
 * ```
 */
export function requestContext(request: object): Context | undefined {
  return contextOf(request);
}

/** As `requestContext`, by its narrower type. */
export function contextOf(message: object): CancelContext | undefined {
  return (message as Marked<object>)[SERVED]?.ctx;
}

/**
 * Makes the context of a request and sees to its end: the response's close, finished or not, or the deadline.
 *
 * Only the response tells whether the client is still there: since Node 16 a request emits `close` as soon as its
 * body has been read.
 */
export function serve(
  parent: OtelContext,
  response: AnyResponse,
  inbound: InboundDeadline,
  options: ServerOptions,
): CancelContext {
  const own = options.timeout ?? Infinity;
  const timeout = Math.min(inbound.remaining ?? Infinity, own);
  const [ctx, release] =
    timeout === Infinity ? withCancel(parent, REQUEST) : withTimeout(parent, timeout, REQUEST);
  const { sent } = inbound;
  const served: Served = {
    ctx,
    release: options.endOnFinish === 'cancel' ? release : undefined,
    sent,
    margin: sent === undefined ? 0 : sent - timeout,
    unqueue: undefined,
  };
  (response as Marked<AnyResponse>)[SERVED] = served;
  (response.req as Marked<object>)[SERVED] = served;
  // First in line: what ends the SERVER span listens here too, and the end must be on the span by then.
  (response as NodeJS.EventEmitter).prependListener('close', onClose);
  if (response.socket === null && !isHttp2(response)) {
    served.unqueue = onConnectionLost(response, () => endUnfinished(served, response.headersSent));
  }
  if (timeout <= 0) answerTimeout(response);
  else if (timeout !== Infinity) {
    onEnd(ctx, () => {
      if (isDeadlineExceeded(ctx.err())) answerTimeout(response);
    });
  }
  return ctx;
}

function onClose(this: Marked<AnyResponse>): void {
  const served = this[SERVED];
  if (served === undefined) return;
  served.unqueue?.();
  const { errored } = this as { readonly errored?: Error | null };
  // Destroyed by the handler, or a pipeline of its own, with an error: the client had no part in it.
  if (errored) end(served.ctx, { origin: 'caller', cause: errored });
  else if (!isFinished(this)) endUnfinished(served, this.headersSent);
  else if (served.release !== undefined) served.release();
  else retire(served.ctx);
}

/**
 * Whether all of the response was handed over. `writableFinished` alone does not tell: when a client hangs up
 * in the middle of the last write Node emits `finish` all the same, and http2 emits it after every reset.
 */
function isFinished(response: AnyResponse): boolean {
  if (!response.writableEnded) return false;
  if (isHttp2(response)) return response.stream.rstCode === 0 && response.stream.writableFinished;
  return response.writableFinished && response.req.socket?.destroyed !== true;
}

function endUnfinished(served: Served, responseStarted: boolean): void {
  const cause = new Error('client disconnected') as Error & { responseStarted: boolean };
  cause.responseStarted = responseStarted;
  end(served.ctx, { origin: originOf(served), cause: cause satisfies DisconnectCause });
}

/** A close this near to the client's own deadline is that deadline: the news merely overtook our clock. */
const NEAR = 20;
const NEAR_SHARE = 0.1;

function originOf({ ctx, sent, margin }: Served): Origin {
  const own = sent === undefined ? undefined : nodeOf(ctx)?.own;
  if (sent === undefined || own === undefined) return 'client_disconnect';
  const left = own.at + margin - clock().now();
  return left < Math.max(NEAR, NEAR_SHARE * sent) ? 'remote_deadline' : 'client_disconnect';
}
