import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { context, type Context as OtelContext } from '@opentelemetry/api';
import { checkFunction, detach, endingWith, installGuard, withValue } from '@curfew/context/spi';
import { RESPONSE_KEY, tellReceived, type Plant } from '@curfew/propagation';
import { contextOf, createServed, serve, type Served } from './served-request';
import { checkServerOptions, type ServerOptions } from './server-options';

/** Options of `instrumentServer`. */
export interface InstrumentServerOptions extends ServerOptions {
  /**
   * Requests that get no context, such as the scrapes of an exporter's own server. What it throws counts as no.
   *
   * @example `(request) => request.socket.localPort === 9464`
   */
  readonly ignore?: (request: IncomingMessage) => boolean;
}

/** What `instrumentServer` hands out. */
export interface ServerInstrumentation {
  /** Makes the contexts: nothing has one before a `DeadlinePropagator` is given this as its `plant`. */
  readonly plant: Plant;
  /** Stops giving contexts to new requests. Those that have one keep it. */
  readonly undo: () => void;
}

const CHANNEL = 'http.server.request.start';

/**
 * Hands out the `plant` by which a DeadlinePropagator gives a context to every request of every node:http and node:https
 * server of this process, and instruments nothing by itself. Nothing is patched: Node announces each request,
 * OpenTelemetry's HTTP instrumentation extracts what the wire brought from `request.headers`, and the propagator that
 * holds `plant` then makes the request's context, which is active in the handler. Its deadline is the smaller of the
 * client's budget and `timeout`; it ends when the response closes.
 *
 * HTTP/2, upgrades, and processes without that instrumentation need `wrapListener`, `wrapUpgrade` or
 * `middleware`. A request that the instrumentation ignores gets no context. A request whose budget was spent on
 * arrival is answered 504 at once, but its handler runs, under a context that is done.
 *
 * @throws TypeError if `timeout` is no number, `endOnFinish` none of its two or `ignore` no function; RangeError if
 *   `timeout` is NaN or negative. Nothing at a request.
 * @example
 * ```ts
 * import { propagation } from '@opentelemetry/api';
 * import { DeadlinePropagator } from '@curfew/propagation';
 * import { instrumentServer } from '@curfew/http';
 * const { plant } = instrumentServer({ timeout: 30_000 });
 * propagation.setGlobalPropagator(new DeadlinePropagator({ plant }));
 * ```
 */
export function instrumentServer(options: InstrumentServerOptions = {}): ServerInstrumentation {
  checkServerOptions(options);
  const { ignore } = options;
  if (ignore !== undefined) checkFunction(ignore, 'options.ignore');
  // The request announced last, and its response; `null` for one to ignore. One slot is enough, for the request
  // is emitted in the same turn. A WeakMap of them would do the same at twice the cost of a whole request: it
  // keeps every young request alive until a full collection.
  let carrying: object | undefined;
  let announced: ServerResponse | null | undefined;

  const onStart = (message: unknown) => {
    const { request, response } = message as { request: IncomingMessage; response: ServerResponse };
    carrying = request.headers;
    announced = ignore !== undefined && isIgnored(ignore, request) ? null : response;
  };
  subscribe(CHANNEL, onStart);
  const unguard = installGuard();

  return {
    plant(ctx, carrier, inbound) {
      if (carrier !== carrying || carrying === undefined) return replant(ctx, carrier);
      const response = announced;
      carrying = undefined;
      announced = undefined;
      if (response === null || response === undefined) return ctx;
      // Another propagator was before this one, that of a second installed copy perhaps.
      const planted = contextOf(response);
      if (planted !== undefined) return endingWith(ctx, planted);
      const served = createServed(response, true);
      // Not a chain that broke, even where the server was started under a live context.
      const parent = withValue(detach(ctx), RESPONSE_KEY, served);
      tellReceived(inbound, ctx);
      return serve(parent, response, served, inbound, options);
    },
    undo() {
      unsubscribe(CHANNEL, onStart);
      unguard();
    },
  };
}

/** Extracted again, by hand, from the headers of the request being served: it has one context, and one count. */
function replant(ctx: OtelContext, carrier: unknown): OtelContext | undefined {
  const served = context.active().getValue(RESPONSE_KEY) as Served | undefined;
  if (served?.response === undefined || served.response.req.headers !== carrier) return undefined;
  return served.ctx === undefined ? ctx : endingWith(ctx, served.ctx);
}

function isIgnored(ignore: (request: IncomingMessage) => boolean, request: IncomingMessage): boolean {
  try {
    return ignore(request);
  } catch {
    return false;
  }
}
