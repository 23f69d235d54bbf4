import http, { type ClientRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import https from 'node:https';
import { context, type Context as OtelContext } from '@opentelemetry/api';
import type { Context } from '@curfew/context';
import {
  automaticError,
  cancelsAutomatically,
  from,
  installGuard,
  patchMethod,
  takeRefusal,
} from '@curfew/context/spi';
import { callingContext, tellRefused } from './outgoing-call';
import { follow } from './request-call';
import { isRefusing, refuse } from './refused-request';

type Request = typeof http.request;
type Untyped = (...args: unknown[]) => ClientRequest;
type Callback = (response: IncomingMessage) => void;

/** Makes a request that the program did not put under a context. */
function requestAutomatically(
  ctx: Context,
  original: Request,
  self: unknown,
  args: unknown[],
): ClientRequest {
  const error = ctx.err();
  const follows = cancelsAutomatically();
  if (error !== undefined && follows && !isRefusing(args) && takeRefusal(ctx)) {
    tellRefused(error);
    return refuse(automaticError(ctx), true, original, self, args);
  }
  const request = Reflect.apply(original, self, args) as ClientRequest;
  // One that may not be ended is told no budget either: whoever it calls would end it by its answer.
  if (error === undefined && follows) follow(ctx, request, true);
  return request;
}

/** Covers a function of a module: a call under a context that can end is made by `make`, and any other as it came. */
function cover(
  module: Pick<typeof http, 'request' | 'get'>,
  name: 'request' | 'get',
  make: typeof requestAutomatically,
): () => void {
  return patchMethod(
    module,
    name,
    (original, patch) =>
      function (this: unknown, ...args: unknown[]) {
        const ctx = patch.on ? callingContext() : undefined;
        if (ctx === undefined) return Reflect.apply(original as Untyped, this, args);
        return make(ctx, original, this, args);
      },
  );
}

function instrument(module: Pick<typeof http, 'request' | 'get'>): (() => void)[] {
  const { request } = module;
  return [
    cover(module, 'request', requestAutomatically),
    // Node's own `get` calls its own `request`, past whatever is exported, and sends the headers at once.
    cover(module, 'get', (ctx, _, self, args) => {
      const made = requestAutomatically(ctx, request, self, args);
      made.end();
      return made;
    }),
  ];
}

/**
 * Puts `http.request`, `http.get`, `https.request` and `https.get` under the context active at the call: they end
 * with it, as with `options.signal`, and tell the server the budget that is left, in `x-request-timeout-ms`. The
 * error of a request that was ended is an `AbortError` whose `cause` is the context's. A call under a context
 * that is done fails so without being dialled. Requests of exporters (suppressed tracing) are left alone.
 *
 * Call it before OpenTelemetry's HttpInstrumentation is constructed: it is then the inner one, which sees the
 * CLIENT span. The other order works too. For ES modules, call `module.syncBuiltinESMExports()` after both.
 *
 * @returns How to undo it. Where somebody has patched over it, it becomes a mere pass-through.
 * @example
 * ```ts
 * import { instrumentHttpRequest } from '@curfew/http';
 * const undo = instrumentHttpRequest();
 * ```
 */
export function instrumentHttpRequest(): () => void {
  const undo = [...instrument(http), ...instrument(https), installGuard()];
  return () => {
    for (const each of undo) each();
  };
}

/**
 * `http.request` or `https.request`, by the protocol, under a context: the explicit form of what
 * `instrumentHttpRequest` does, with or without it. The request still has to be ended.
 *
 * @param ctx The request ends when it does. Under one that never ends this is a plain request.
 * @returns The request. It emits an `AbortError` whose `cause` is the context's error when the context ends, or
 *   has ended; in the latter case nothing is dialled.
 * @throws As `http.request` does.
 * @example
 * ```ts
 * import { request } from '@curfew/http';
 * request(ctx, 'http://payments/charge', (response) => response.resume()).end();
 * ```
 */
export function request(
  ctx: OtelContext,
  input: string | URL,
  options: https.RequestOptions,
  callback?: Callback,
): ClientRequest;
export function request(
  ctx: OtelContext,
  input: string | URL | https.RequestOptions,
  callback?: Callback,
): ClientRequest;
export function request(ctx: OtelContext, ...args: unknown[]): ClientRequest {
  const view = from(ctx);
  const module = isHttps(args[0], args[1]) ? https : http;
  const error = view.err();
  if (error === undefined) {
    return context.with(view, () => {
      const request = Reflect.apply(module.request, module, args) as ClientRequest;
      follow(view, request, false);
      return request;
    });
  }
  tellRefused(error);
  return context.with(view, () => refuse(error, false, module.request, module, args));
}

function isHttps(input: unknown, options: unknown): boolean {
  const over = (options as RequestOptions | undefined)?.protocol;
  if (typeof over === 'string') return over === 'https:';
  if (typeof input === 'string') return /^https:/i.test(input);
  return (input as { protocol?: unknown } | undefined)?.protocol === 'https:';
}
