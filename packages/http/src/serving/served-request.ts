import type { ServerResponse } from 'node:http';
import type { Context as OtelContext } from '@opentelemetry/api';
import type { Cancel, CancelContext, Context } from '@curfew/context';
import {
  clock,
  end,
  endingOf,
  guarded,
  isEnforced,
  onEnd,
  retire,
  withCancel,
  withLimit,
  type Origin,
} from '@curfew/context/spi';
import { isNearDeadline, type InboundDeadline } from '@curfew/propagation';
import { isClosed, isFinished, isHttp2, type AnyResponse } from './any-response';
import { emitClose, forgetQueued, onConnectionLost } from './queued-responses';
import type { ServerOptions } from './server-options';
import { thisSide } from './shutdown';
import { answerTimeout, failWriters } from './timeout-answer';
import { closedByPeer, connectionLost, errorOfThisSide, watchResets } from './who-closed';

/** One name for all requests, so that what is counted by name counts requests. */
const REQUEST = { name: 'http.server' };

// Registered, so that a second installed copy finds the context that the first one made.
const SERVED = Symbol.for('@curfew/http.served.v1');

/**
 * What is kept of a request on its response, so that one listener without a closure serves all responses. A context
 * carries this and not the response, which lives as long as the connection that it came over and no longer: idle
 * sockets, timers and pools that a request made keep its context for as long as they live.
 */
export interface Served {
  /** `undefined` once it has closed. */
  response: AnyResponse | undefined;
  /** Whether the head had been sent, once the response has closed. */
  headersSent: boolean;
  /** `undefined` until it is made. */
  ctx: CancelContext | undefined;
  /** Where the context ends with the response: its release. */
  release: Cancel | undefined;
  /** The budget as the client sent it, in milliseconds; `undefined` without one. */
  sent: number | undefined;
  /** When that is spent, in monotonic milliseconds: later than our deadline where the server's limit is less. */
  spentAt: number;
  /** Whether it waited for a response before it. */
  queued: boolean;
  /** Whether the program asked for none of this: then what could end its process is not done unless that is guarded. */
  readonly automatic: boolean;
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

/** What `serve` is given: made before the context, which may carry it. */
export function createServed(response: AnyResponse, automatic: boolean): Served {
  return {
    response,
    headersSent: false,
    ctx: undefined,
    release: undefined,
    sent: undefined,
    spentAt: Infinity,
    queued: false,
    automatic,
  };
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
  served: Served,
  inbound: InboundDeadline,
  options: ServerOptions,
): CancelContext {
  const timeout = Math.min(inbound.remaining ?? Infinity, options.timeout ?? Infinity);
  const [ctx, release] =
    timeout === Infinity ? withCancel(parent, REQUEST) : withLimit(parent, timeout, REQUEST);
  const { sent } = inbound;
  served.ctx = ctx;
  served.sent = sent;
  if (sent !== undefined) served.spentAt = clock().now() + sent;
  if (options.endOnFinish === 'cancel') served.release = release;
  (response as Marked<AnyResponse>)[SERVED] = served;
  (response.req as Marked<object>)[SERVED] = served;
  if (isClosed(response)) {
    // Whatever came before took its time, and the client has left meanwhile: nothing is to come any more.
    onClose.call(response);
    return ctx;
  }
  // First in line: what ends the SERVER span listens here too, and the end must be on the span by then.
  (response as NodeJS.EventEmitter).prependListener('close', onClose);
  if (isHttp2(response)) watchResets(response.stream);
  else if (response.socket === null) {
    served.queued = true;
    onConnectionLost(response, endQueued);
  }
  if (timeout <= 0) {
    // Nobody's code is running yet that an answer could surprise.
    if (isEnforced()) answerTimeout(response, ctx);
  } else if (timeout !== Infinity) onEnd(ctx, () => onEnded(served));
  return ctx;
}

/**
 * Answers in place of the handler where its deadline has passed. Whoever noticed by asking (`err()`, a derivation) may
 * be about to answer: that answer comes first.
 */
function onEnded(served: Served): void {
  const ending = endingOf(served.ctx as Context);
  if (ending?.reason !== 'deadline_exceeded') return;
  if (ending.detectedBy === 'timer') answer(served);
  else queueMicrotask(() => answer(served));
}

/**
 * A response that breaks off fails whoever streams into it. Where nobody asked for the deadline, and an error that is
 * not caught would end the process, it goes on instead.
 */
function answer({ response, ctx, automatic }: Served): void {
  if (response !== undefined) answerTimeout(response, ctx, !automatic || guarded());
}

function onClose(this: Marked<AnyResponse>): void {
  const served = this[SERVED];
  if (served?.ctx === undefined || served.response === undefined) return;
  if (served.queued) forgetQueued(this as ServerResponse);
  const error = errorOfThisSide(this);
  if (error !== undefined) end(served.ctx, { origin: thisSide(), cause: error, automatic: true });
  else if (!isFinished(this)) endUnfinished(served, served.ctx, this);
  else if (served.release !== undefined && isEnforced()) served.release();
  else retire(served.ctx);
  served.headersSent = this.headersSent;
  served.response = undefined;
}

function endUnfinished(served: Served, ctx: CancelContext, response: AnyResponse): void {
  const byPeer = closedByPeer(response);
  const origin = byPeer ? originOf(served) : thisSide();
  const reason = origin === 'remote_deadline' ? 'deadline_exceeded' : 'canceled';
  const cause = connectionLost(byPeer, response.headersSent);
  end(ctx, { origin, reason, cause, automatic: true });
}

/** A response whose turn never came, because its connection closed. */
function endQueued(response: Marked<ServerResponse>): void {
  const served = response[SERVED];
  if (served?.ctx === undefined) return;
  endUnfinished(served, served.ctx, response);
  if (!isEnforced()) return;
  // Where Node does not close it (24 does), who writes to it would not have failed without us.
  if (!response.destroyed) failWriters(response, served.ctx);
  emitClose(response);
}

function originOf({ sent, spentAt }: Served): Origin {
  const near = sent !== undefined && isNearDeadline(spentAt - clock().now(), sent);
  return near ? 'remote_deadline' : 'client_disconnect';
}
