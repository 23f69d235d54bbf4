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
import { FetchCall, isFollowing, within } from './fetch-call';
import { callingContext, deadlinePassed, isOurDeadline, tellRefused } from './outgoing-call';

type Fetch = typeof globalThis.fetch;
type Input = Parameters<Fetch>[0];
type Init = NonNullable<Parameters<Fetch>[1]>;

/** Makes a call under a context; `send` is the fetch to make it with. */
function fetchUnder(
  ctx: Context,
  send: Fetch,
  input: Input,
  init: Init | null | undefined,
  automatic: boolean,
): Promise<Response> {
  const given = signalOf(input, init);
  // There is nothing to add to a call that is aborted already.
  if (given?.aborted === true) return send(input, init ?? undefined);
  const call = new FetchCall(ctx, given, automatic);
  let sent: Promise<Response>;
  try {
    sent = within(call, () => send(input, withSignal(init, call.signal)));
  } catch (thrown) {
    call.release();
    throw thrown;
  }
  call.departed();
  return sent.then(
    (response) => {
      if (automatic && isOurDeadline(ctx, response.status)) return afterDeadline(ctx, call, response);
      call.settle();
      return response;
    },
    (reason: unknown) => {
      call.release();
      throw reason;
    },
  );
}

/** A call is aborted with its context, and its body with it; it fails as if the response had not come before that. */
async function afterDeadline(ctx: Context, call: FetchCall, response: Response): Promise<Response> {
  if (await deadlinePassed(ctx)) throw automaticError(ctx);
  call.settle();
  return response;
}

/** Makes a call that the program did not put under a context, with the arguments as they came where it stays so. */
function fetchAutomatically(
  ctx: Context,
  original: Fetch,
  self: unknown,
  args: Parameters<Fetch>,
): Promise<Response> {
  // One that may not be ended is told no budget either: whoever it calls would end it by its answer.
  if (!cancelsAutomatically() || isFollowing(args[1]?.signal)) return Reflect.apply(original, self, args);
  const error = ctx.err();
  if (error === undefined) return fetchUnder(ctx, original, args[0], args[1], true);
  if (!takeRefusal(ctx)) return Reflect.apply(original, self, args);
  tellRefused(error);
  return new Promise((_, reject) => setImmediate(() => reject(automaticError(ctx))));
}

/** The signal that this call would have had. `null` in the options takes away the one of a Request. */
function signalOf(input: unknown, init: Init | null | undefined): AbortSignal | undefined {
  const given = init?.signal;
  if (given !== undefined) return given ?? undefined;
  if (Object.prototype.toString.call(input) !== '[object Request]') return undefined;
  return (input as Request).signal;
}

/** What `fetch` reads of its options. */
const OPTIONS = [
  'body',
  'cache',
  'credentials',
  'dispatcher',
  'duplex',
  'headers',
  'integrity',
  'keepalive',
  'method',
  'mode',
  'priority',
  'redirect',
  'referrer',
  'referrerPolicy',
  'window',
] as const;

/** What is neither an object nor absent is left to be refused by the real one. */
function isInit(init: unknown): boolean {
  return init === undefined || typeof init === 'object';
}

function withSignal(init: Init | null | undefined, signal: AbortSignal): Init {
  if (init === undefined || init === null) return { signal };
  const prototype: unknown = Object.getPrototypeOf(init);
  if (prototype === null || Object.getPrototypeOf(prototype) === null) return { ...init, signal };
  // A Request in the place of options, or an object of a class: its members are getters, which no spread copies.
  const read = init as Record<string, unknown>;
  const copy: Record<string, unknown> = { signal };
  for (const name of OPTIONS) if (read[name] !== undefined) copy[name] = read[name];
  return copy;
}

/**
 * Puts `globalThis.fetch` under the context active at the call: it is aborted when the context ends, also while
 * the body streams, and tells the server the budget that is left, in `x-request-timeout-ms`. The caller's own
 * signal keeps working, and is what the call rejects with if it aborts first. A call under a context that is
 * done rejects with the context's error and is not dialled. Nothing is left on the context or on the signal once
 * the body has arrived, been cancelled or been collected. Requests of exporters (suppressed tracing) are left
 * alone.
 *
 * @returns How to undo it. Where somebody has patched over it, it becomes a mere pass-through.
 * @throws TypeError where there is no `fetch`, as under `--no-experimental-fetch`.
 * @example
 * ```ts
 * import { instrumentFetch } from '@curfew/http';
 * const undo = instrumentFetch();
 * ```
 */
export function instrumentFetch(): () => void {
  const unpatch = patchMethod(
    globalThis,
    'fetch',
    (original, patch) =>
      function (this: unknown, _input: Input, init?: Init): Promise<Response> {
        const ctx = patch.on && isInit(init) ? callingContext() : undefined;
        // With the arguments as they came: `fetch()` and `fetch(undefined)` fail differently.
        // eslint-disable-next-line prefer-rest-params -- a rest parameter would be an array for each call, used or not
        const args = arguments as unknown as Parameters<Fetch>;
        if (ctx === undefined) return Reflect.apply(original, this, args);
        return fetchAutomatically(ctx, original, this, args);
      },
  );
  const unguard = installGuard();
  return () => {
    unpatch();
    unguard();
  };
}

/**
 * `fetch` under a context: the explicit form of what `instrumentFetch` does, with or without it, and with or
 * without a ContextManager. It uses the `globalThis.fetch` of the moment.
 *
 * @param ctx The call is aborted when it ends. Under one that never ends this is a plain fetch.
 * @returns The response. Rejects with the context's CanceledError or DeadlineExceededError when the context ends,
 *   and at once, without dialling, if it has ended. While the body is read Node 20 rejects with a bare AbortError:
 *   `ctx.err()` says why.
 * @example
 * ```ts
 * import { scope } from '@curfew/context';
 * import { fetch } from '@curfew/http';
 * const price = await scope({ timeout: 300 }, async (ctx) => (await fetch(ctx, 'http://prices/42')).json());
 * ```
 */
export function fetch(ctx: OtelContext, input: Input, init?: Init): Promise<Response> {
  const view = from(ctx);
  const error = view.err();
  if (error !== undefined) {
    tellRefused(error);
    return Promise.reject(error);
  }
  return context.with(view, () => fetchUnder(view, globalThis.fetch, input, init, false));
}
