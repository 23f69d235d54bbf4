import { context } from '@opentelemetry/api';
import type { Context } from '@curfew/context';
import {
  canEnd,
  endingOf,
  from,
  globalSlot,
  hooks,
  isDeadlineExceeded,
  isEnforced,
  SUPPRESS_TRACING_KEY,
} from '@curfew/context/spi';
import { allowedHosts, formatTimeoutMs, parseTimeoutMs } from '@curfew/propagation';

/** On a request that ends with a context already. Every installed copy sees it. */
export const FOLLOWING = Symbol.for('@curfew/http.following.v1');

/** What all installed copies share. */
interface Outgoing {
  isAllowed(this: void, host: string): boolean;
}

const outgoing = globalSlot<Outgoing>('@curfew/http.outgoing', 1, () => ({ isAllowed: allowedHosts() }));

/**
 * Says which hosts outgoing calls tell their budget, for the whole process; every other host gets the same
 * requests as without Curfew. The list is that of `allowedHosts`, `['private']` unless this is called. Signals
 * are not affected: a call is aborted wherever it goes.
 *
 * @returns How to put the former list back.
 * @throws TypeError if an entry is no host, `*.suffix`, `private` or `*`.
 * @example
 * ```ts
 * import { setAllowedHosts } from '@curfew/http';
 * setAllowedHosts(['private', '*.example.com']);
 * ```
 */
export function setAllowedHosts(allow: readonly string[]): () => void {
  const former = outgoing.isAllowed;
  outgoing.isAllowed = allowedHosts(allow);
  return () => {
    outgoing.isAllowed = former;
  };
}

/**
 * The context that a call without an explicit one is made under; `undefined` where there is nothing to pass on.
 * What an exporter sends is no part of the request in which it happens to run.
 */
export function callingContext(): Context | undefined {
  const ctx = context.active();
  if (!canEnd(ctx) || endingOf(ctx)?.retired === true) return undefined;
  return ctx.getValue(SUPPRESS_TRACING_KEY) === true ? undefined : from(ctx);
}

/**
 * Ends a call because its context has ended. Not in the stack of whoever asked for `err()` and so noticed a deadline, which
 * may be in the middle of any expression. And where Curfew has ended the context, and the call with it, not before the next
 * turn of the loop: a program that ends its own calls when its client leaves, as proxies and pipelines do, has done so by
 * then, and they fail as they always did.
 */
export function endCall(ctx: Context, automatic: boolean, end: () => void): void {
  const ending = endingOf(ctx);
  if (automatic && ending?.automatic === true) setImmediate(end);
  else if (ending?.detectedBy === 'check') queueMicrotask(end);
  else end();
}

/**
 * Whether what a server answers is our own deadline, told by the other end: the server ran out of the budget that the
 * call had told it, in whole milliseconds, and its answer may be here before our timer. A program that has no call fail
 * at a deadline has none answered 504 by one either, and many clients make an error of it that nothing tells as ours.
 */
export function isOurDeadline(ctx: Context, status: number | undefined): boolean {
  return status !== undefined && status >= 500 && ctx.remaining() < 1;
}

/** Resolves, with whether the context has ended, when a deadline that is less than a millisecond ahead has passed. */
export function deadlinePassed(ctx: Context): Promise<boolean> {
  // The request may have been answered meanwhile, and its deadline be gone.
  return new Promise((resolve) => setTimeout(() => resolve(ctx.err() !== undefined), 2));
}

/** Tells that a call was refused, where it was for a spent budget. */
export function tellRefused(error: Error): void {
  if (hooks.callRefused !== undefined && isDeadlineExceeded(error)) {
    hooks.callRefused({ source: 'http.client' });
  }
}

/**
 * What to write into the timeout header of a call to `host`, or `undefined` to leave the header as it is.
 *
 * @param given The header as the caller has set it. It may shorten the budget; it cannot lengthen it, which a
 *   gateway would do that hands on the headers it got.
 */
export function budgetFor(ctx: Context, host: string, given: unknown): string | undefined {
  const remaining = ctx.remaining();
  if (remaining === Infinity || !isEnforced() || !outgoing.isAllowed(host)) return undefined;
  const asked = parseTimeoutMs(given);
  return asked !== undefined && asked <= remaining ? undefined : formatTimeoutMs(remaining);
}
