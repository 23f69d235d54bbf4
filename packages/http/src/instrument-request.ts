import http, { type Agent, type ClientRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import https from 'node:https';
import { context, type Context as OtelContext } from '@opentelemetry/api';
import { from, onEnd, type Context } from '@curfew/context';
import { TIMEOUT_HEADER } from '@curfew/propagation';
import { budgetFor, callingContext, refusal } from './outgoing-call';

type Request = typeof http.request;
type Callback = (response: IncomingMessage) => void;

/** On a request that ends with a context already: the explicit form and the patched one are one call. */
const FOLLOWING = Symbol('curfew.following');

/** True while the explicit form calls what may be the patched function, which then has nothing left to do. */
let explicit = false;

function takeExplicit(): boolean {
  const taken = explicit;
  explicit = false;
  return taken;
}

/** Makes a request under a context. */
function requestUnder(ctx: Context, original: Request, self: unknown, args: unknown[]): ClientRequest {
  const error = refusal(ctx);
  if (error !== undefined) return refuse(error, original, self, args);
  const request = Reflect.apply(original, self, args) as ClientRequest;
  follow(ctx, request);
  return request;
}

/** Ends a request with a context, and tells the server how long it has. */
function follow(ctx: Context, request: ClientRequest & { [FOLLOWING]?: true }): void {
  if (request[FOLLOWING] === true) return;
  request[FOLLOWING] = true;
  // Headers given as an array, or with `expect`, have been written by now.
  if (!request.headersSent) {
    const budget = budgetFor(ctx, request.host, request.getHeader(TIMEOUT_HEADER));
    if (budget !== undefined) request.setHeader(TIMEOUT_HEADER, budget);
  }
  const stop = onEnd(ctx, () => abort(request, ctx.err()));
  // Emitted when the response has been read to its end, or the connection is gone: until then it can be aborted.
  request.once('close', stop);
}

/** As `options.signal` does, but that a response under way tells its reader why instead of `aborted`. */
function abort(request: ClientRequest & { res?: IncomingMessage }, reason: unknown): void {
  (request.res ?? request).destroy(abortError(reason));
}

/** Node's own AbortError, which its users know. Why the context ended is its cause. */
function abortError(cause: unknown): Error {
  const error = new Error('The operation was aborted', { cause });
  error.name = 'AbortError';
  return Object.assign(error, { code: 'ABORT_ERR' });
}

/**
 * A request that fails without a connection, in its own turn, as one that could not connect would. The agent is
 * the one place that can keep it from being dialled, and from taking a kept-alive connection down with it.
 */
function refuse(reason: Error, original: Request, self: unknown, args: unknown[]): ClientRequest {
  const agent = {
    addRequest: (request: { onSocket(socket: null, error: Error): void }) =>
      request.onSocket(null, abortError(reason)),
  } as unknown as Agent;
  const [first, second, third] = args;
  const isUrl = typeof first === 'string' || first instanceof URL;
  const given = (isUrl ? second : first) as RequestOptions | Callback | undefined;
  const options = { ...(typeof given === 'object' ? given : undefined), agent };
  const callback = [second, third].find((arg) => typeof arg === 'function');
  return Reflect.apply(original, self, [...(isUrl ? [first] : []), options, callback]) as ClientRequest;
}

type Module = Pick<typeof http, 'request' | 'get'>;

/** Puts a function in the place of another; returns how to put the other one back, where ours is still there. */
function replace<K extends keyof Module>(module: Module, name: K, replacement: Module[K]): () => void {
  const original = module[name];
  Object.defineProperty(replacement, 'name', { value: name });
  module[name] = replacement;
  return () => {
    if (module[name] === replacement) module[name] = original;
  };
}

function instrument(module: Module): () => void {
  const original = module.request;
  const originalGet = module.get;
  let on = true;

  function request(this: unknown, ...args: unknown[]): ClientRequest {
    const ctx = !takeExplicit() && on ? callingContext() : undefined;
    return ctx === undefined
      ? (Reflect.apply(original, this, args) as ClientRequest)
      : requestUnder(ctx, original, this, args);
  }

  // Node's own `get` calls its own `request`, past whatever is exported, and sends the headers at once.
  function get(this: unknown, ...args: unknown[]): ClientRequest {
    const ctx = !takeExplicit() && on ? callingContext() : undefined;
    if (ctx === undefined) return Reflect.apply(originalGet, this, args) as ClientRequest;
    const made = requestUnder(ctx, original, this, args);
    made.end();
    return made;
  }

  const restoreRequest = replace(module, 'request', request as Request);
  const restoreGet = replace(module, 'get', get as typeof http.get);
  return () => {
    on = false;
    restoreRequest();
    restoreGet();
  };
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
  const undo = [instrument(http), instrument(https)];
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
  return context.with(view, () => {
    explicit = true;
    try {
      return requestUnder(view, module.request, module, args);
    } finally {
      explicit = false;
    }
  });
}

function isHttps(input: unknown, options: unknown): boolean {
  const over = (options as RequestOptions | undefined)?.protocol;
  if (typeof over === 'string') return over === 'https:';
  if (typeof input === 'string') return /^https:/i.test(input);
  return (input as { protocol?: unknown } | undefined)?.protocol === 'https:';
}
