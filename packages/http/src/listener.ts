import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import { context } from '@opentelemetry/api';
import { withoutCancel } from '@curfew/context';
import { hooks, nodeOf } from '@curfew/context/spi';
import { deadlineReader, receivedDeadline, type ReceiveOptions } from '@curfew/propagation';
import { contextOf, serve, type ServerOptions } from './served-request';
import { answerTimeout, type AnyResponse } from './timeout-answer';

/** Options of `middleware` and `wrapListener`. */
export interface ListenerOptions extends ServerOptions, ReceiveOptions {}

/** Middleware in the form of Connect and Express. */
export type Middleware = (request: IncomingMessage, response: ServerResponse, next: () => void) => void;

/** Runs `go` under the request's context, made here unless the request has one; refuses a spent budget. */
function listenerUnder(options: ListenerOptions) {
  const read = deadlineReader(options);
  return (
    request: IncomingMessage | Http2ServerRequest,
    response: AnyResponse,
    go: () => unknown,
  ): unknown => {
    const active = context.active();
    const served = contextOf(response);
    if (served !== undefined) return nodeOf(active) === nodeOf(served) ? go() : context.with(served, go);
    const inbound = receivedDeadline(active) ?? read(request.headers, undefined, active);
    if (inbound.remaining !== undefined && inbound.remaining <= 0) {
      if (hooks.callRefused !== undefined) hooks.callRefused({ source: 'http.server' });
      answerTimeout(response);
      return undefined;
    }
    const ctx = serve(withoutCancel(active), response, inbound, options);
    // Body parsers and `on-finished` go on in events of these two, which would otherwise lose the context.
    context.bind(ctx, request);
    context.bind(ctx, response);
    return context.with(ctx, go);
  };
}

/**
 * Middleware for Express, Connect and whatever takes `(request, response, next)`: gives the request a context and
 * runs what follows under it. For processes without OpenTelemetry's HTTP instrumentation; beside it, it leaves
 * the context that the request has already. Put it first. A request whose budget is spent on arrival is answered
 * 504 before any work, and `next` is not called.
 *
 * @throws RangeError if `maxTimeout` is NaN or negative; nothing at a request.
 * @example
 * ```ts
 * import express from 'express';
 * import { active } from '@curfew/context';
 * import { middleware } from '@curfew/http';
 * const app = express();
 * app.use(middleware({ timeout: 10_000 }));
 * app.get('/', async (request, response) => response.send(await load(active().signal)));
 * ```
 */
export function middleware(options: ListenerOptions = {}): Middleware {
  const under = listenerUnder(options);
  return (request, response, next) => void under(request, response, () => next());
}

/**
 * Wraps a listener of `request` events, of node:http, node:https or http2 servers: as `middleware`, for servers
 * without a framework, and for frameworks that hand out their listener. This is how HTTP/2 gets its contexts.
 *
 * @returns A listener that returns what the given one returns, and `undefined` for a request that was refused.
 * @example
 * ```ts
 * import { createSecureServer } from 'node:http2';
 * import { wrapListener } from '@curfew/http';
 * createSecureServer(tls, wrapListener(async (request, response) => response.end('hello')));
 * ```
 */
export function wrapListener<
  Request extends IncomingMessage | Http2ServerRequest,
  Response extends ServerResponse | Http2ServerResponse,
>(
  listener: (request: Request, response: Response) => unknown,
  options: ListenerOptions = {},
): (this: unknown, request: Request, response: Response) => unknown {
  const under = listenerUnder(options);
  return function (request, response) {
    return under(request, response, () => listener.call(this, request, response));
  };
}
