import { AsyncResource } from 'node:async_hooks';
import type { Context } from '@curfew/context';
import { automaticError, cancelsAutomatically, hooks, takeRefusal } from '@curfew/context/spi';

// The way of a call: it is given its context in `query.ts`, or found under one by what `covering/` puts over the methods
// of pg. In `running/` it waits for a client (`checkout`), goes to it (`submit`) and is followed to its end
// (`supervise`); `cancelling/` stops it in the server. What comes first imports what comes later, and never the reverse.

/** A call of pg, and the context that it ends with. */
export interface Call {
  readonly ctx: Context;
  /** Whether Curfew found the context active. Otherwise the program has given it: `query(ctx, …)`. */
  readonly automatic: boolean;
  /** The asynchronous context in which it was made: what is called back runs there, whoever calls. */
  readonly caller: AsyncResource;
}

/** A call that is made now. It makes one async resource, which serves the wait for a client and the query alike. */
export function callUnder(ctx: Context, automatic: boolean): Call {
  return { ctx, automatic, caller: new AsyncResource('CURFEW_PG_CALL') };
}

/**
 * The error with which the call ends, if its context has ended; `undefined` while it goes on. An automatic call gets
 * an error of its own, and goes on after the end of its context where it may not be cancelled. Where the clock alone
 * knows of the end so far, asking brings it about.
 */
export function endOf({ ctx, automatic }: Call): Error | undefined {
  const error = ctx.err();
  if (error === undefined || !automatic) return error;
  return cancelsAutomatically() ? automaticError(ctx) : undefined;
}

/**
 * The error with which a call is refused that is made under a context which has ended; `undefined` where it is not
 * refused, and so goes on. Whoever refuses does it in a later turn of the loop, or a caller that tries again at once
 * would starve the process.
 */
export function refusalOf(call: Call): Error | undefined {
  const { ctx, automatic } = call;
  if (ctx.err() === undefined) return undefined;
  if (automatic && !(cancelsAutomatically() && takeRefusal(ctx))) return undefined;
  return endOf(call);
}

/** Tells that a call was refused. */
export function tellRefused(): void {
  hooks.callRefused?.({ source: 'postgresql' });
}
