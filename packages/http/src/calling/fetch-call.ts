import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe } from 'node:diagnostics_channel';
import { addAbortListener, defaultMaxListeners, getMaxListeners, setMaxListeners } from 'node:events';
import type { Context } from '@curfew/context';
import { automaticError, globalSlot, onEnd } from '@curfew/context/spi';
import { TIMEOUT_HEADER } from '@curfew/propagation';
import { budgetFor, endCall } from './outgoing-call';

/** Whoever undici's requests are made for. */
interface Caller {
  readonly ctx: Context;
  /** What its requests are aborted by, where they are. */
  readonly signal?: AbortSignal;
  requestStarted?(): void;
  requestEnded?(): void;
}

/**
 * One call of `fetch`: what can abort it, for as long as it can be aborted. That is longer than the promise, for
 * the body still streams when that resolves, and several requests where it is redirected. undici tells of each
 * request when it starts and when its response has arrived in full or failed.
 *
 * The link is a controller of its own and not a derived context: it rejects with the caller's own reason where the
 * caller's own signal aborts, as without us, and a fetch counts as no context in telemetry.
 */
export class FetchCall implements Caller {
  private readonly controller = new AbortController();
  private readonly stopContext: () => boolean;
  private readonly stopSignal: (() => void) | undefined;
  /** undici's requests under way. */
  private requests = 0;
  private sent = false;
  private settled = false;
  private released = false;

  constructor(
    readonly ctx: Context,
    private readonly given: AbortSignal | undefined,
    private readonly automatic: boolean,
  ) {
    this.stopContext = onEnd(ctx, () => endCall(ctx, automatic, () => this.end()));
    // Once everybody has heard of it: the context may follow this signal by way of another, and has to have ended
    // before the call does, which is when its span is written.
    if (given !== undefined)
      this.stopSignal = listen(given, () => queueMicrotask(() => this.abort(given.reason)));
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  private end(): void {
    if (this.released) return;
    // undici fails an assertion, and the process with it, if it is aborted while `fetch` itself runs.
    if (!this.sent) {
      queueMicrotask(() => this.end());
      return;
    }
    if (this.given?.aborted === true) this.abort(this.given.reason);
    else this.abort(this.automatic ? automaticError(this.ctx) : this.ctx.err());
  }

  private abort(reason: unknown): void {
    this.release();
    this.controller.abort(reason);
  }

  /** `fetch` has returned. */
  departed(): void {
    this.sent = true;
  }

  /** Lets go of the context and of the caller's signal. */
  release(): void {
    this.released = true;
    this.stopContext();
    this.stopSignal?.();
  }

  /** The promise has resolved: with no request under way, the body is here too. */
  settle(): void {
    this.settled = true;
    if (this.requests === 0) this.release();
  }

  requestStarted(): void {
    this.requests++;
  }

  requestEnded(): void {
    this.requests--;
    if (this.settled && this.requests === 0) this.release();
  }
}

/** As undici does for a signal that many calls share: eleven at once are no leak. */
const MANY = 1_500;

function listen(signal: AbortSignal, listener: () => void): () => void {
  if (isLimitedByDefault(signal)) setMaxListeners(MANY, signal);
  const listening = addAbortListener(signal, listener);
  return () => listening[Symbol.dispose]();
}

function isLimitedByDefault(signal: AbortSignal): boolean {
  try {
    return getMaxListeners(signal) === defaultMaxListeners;
  } catch {
    // Node 20 takes a signal without a limit, such as one that a context follows, for no signal at all.
    return false;
  }
}

const CALL = Symbol('curfew.call');

/** An undici request, as its diagnostics channels show it. */
interface UndiciRequest {
  readonly origin?: string | URL;
  /** Names and values in turn. */
  readonly headers?: unknown;
  [CALL]?: Caller;
  addHeader?(name: string, value: string): unknown;
}

/** What all installed copies share, so that a request belongs to one call, whichever of them sends it. */
interface Shared {
  readonly current: AsyncLocalStorage<Caller>;
  watching: boolean;
}

const shared = globalSlot<Shared>('@curfew/http.fetch', 1, () => ({
  current: new AsyncLocalStorage<Caller>(),
  watching: false,
}));

/** Whether a call with this signal is part of one that ends with a context already: one of the explicit form, say. */
export function isFollowing(signal: AbortSignal | null | undefined): boolean {
  return signal !== null && signal !== undefined && shared.current.getStore()?.signal === signal;
}

/** Runs `send` so that the requests which undici makes for it belong to `call`, and tell the budget of its context. */
export function within<T>(call: Caller, send: () => T): T {
  watchRequests();
  return shared.current.run(call, send);
}

/** Subscribes on first use, and for good: calls that outlive an undo must still be let go. */
function watchRequests(): void {
  if (shared.watching) return;
  shared.watching = true;
  subscribe('undici:request:create', (message) => {
    const call = shared.current.getStore();
    if (call === undefined) return;
    const { request } = message as { request: UndiciRequest };
    request[CALL] = call;
    call.requestStarted?.();
    writeBudget(call.ctx, request);
  });
  subscribe('undici:request:trailers', ended);
  subscribe('undici:request:error', ended);
}

/** These come in whatever context the connection was opened: the request itself tells which call it is of. */
function ended(message: unknown): void {
  const { request } = message as { request: UndiciRequest };
  const call = request[CALL];
  if (call === undefined) return;
  delete request[CALL];
  call.requestEnded?.();
}

/** Here and not in the call's options: a redirect may lead to a host that must not be told, and later than now. */
function writeBudget(ctx: Context, request: UndiciRequest): void {
  const { origin, headers } = request;
  if (origin === undefined || !Array.isArray(headers)) return;
  const at = headers.findIndex((name, i) => i % 2 === 0 && isTimeoutHeader(name)) + 1;
  const budget = budgetFor(ctx, hostOf(origin), at === 0 ? undefined : headers[at]);
  if (budget === undefined) return;
  if (at !== 0) headers[at] = budget;
  else if (typeof request.addHeader === 'function') request.addHeader(TIMEOUT_HEADER, budget);
  else headers.push(TIMEOUT_HEADER, budget);
}

function isTimeoutHeader(name: unknown): boolean {
  return (
    typeof name === 'string' && name.length === TIMEOUT_HEADER.length && name.toLowerCase() === TIMEOUT_HEADER
  );
}

function hostOf(origin: string | URL): string {
  return (typeof origin === 'string' ? new URL(origin) : origin).hostname;
}
