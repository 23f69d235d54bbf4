import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import { context } from '@opentelemetry/api';
import { checkFunction, detach, endsWith, hooks, isEnforced } from '@curfew/context/spi';
import { deadlineReader, receivedDeadline, type ReceiveOptions } from '@curfew/propagation';
import type { AnyResponse } from './any-response';
import { contextOf, createServed, serve } from './served-request';
import { checkServerOptions, type ServerOptions } from './server-options';
import { answerTimeout } from './timeout-answer';

/** Options of `middleware` and `wrapListener`. */
export interface ListenerOptions extends ServerOptions, ReceiveOptions {}

/** Middleware in the form of Connect and Express. */
export type Middleware = (request: IncomingMessage, response: ServerResponse, next: () => void) => void;

/** Runs `go` under the request's context, made here unless the request has one; refuses a spent budget. */
function listenerUnder(options: ListenerOptions) {
  checkServerOptions(options);
  const read = deadlineReader(options);
  return (
    request: IncomingMessage | Http2ServerRequest,
    response: AnyResponse,
    go: () => unknown,
  ): unknown => {
    const active = context.active();
    const planted = contextOf(response);
    if (planted !== undefined) return endsWith(active, planted) ? go() : context.with(planted, go);
    const inbound = receivedDeadline(active) ?? read(request.headers, undefined, active);
    if (inbound.remaining !== undefined && inbound.remaining <= 0 && isEnforced()) {
      if (hooks.callRefused !== undefined) hooks.callRefused({ source: 'http.server' });
      answerTimeout(response);
      return undefined;
    }
    const ctx = serve(detach(active), response, createServed(response, false), inbound, options);
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
 * @throws TypeError if `timeout` or `maxTimeout` is no number, `endOnFinish` none of its two or `headers` no array of names;
 *   RangeError if `timeout` or `maxTimeout` is NaN or negative. Nothing at a request.
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
 * without a framework, and for frameworks that hand out their listener. This is how HTTP/2 gets its contexts. A listener
 * of another event, such as http2's `stream`, is called without one.
 *
 * @returns A listener that returns what the given one returns, and `undefined` for a request that was refused.
 * @throws As `middleware`, and TypeError if the listener is no function.
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
  checkFunction(listener, 'listener');
  const under = listenerUnder(options);
  return function (request, response, ...more: unknown[]) {
    const go = () => Reflect.apply(listener, this, [request, response, ...more]) as unknown;
    return isResponse(response) ? under(request, response, go) : go();
  };
}

/** What comes second in other events is a socket, or http2's headers. */
function isResponse(value: unknown): boolean {
  return typeof (value as Partial<AnyResponse> | undefined)?.req === 'object';
}
