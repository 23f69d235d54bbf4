import type { AsyncResource } from 'node:async_hooks';

/** On a query, once it is supervised. Two copies of this package share it, and neither supervises what the other does. */
const CALLER = Symbol.for('@curfew/pg.caller.v1');

/** Marks a query as supervised, with the asynchronous context in which it was submitted. */
export function markSupervised(query: object, caller: AsyncResource): void {
  // To define a property that nobody sees would cost many times as much.
  (query as { [CALLER]?: AsyncResource })[CALLER] = caller;
}

/** The asynchronous context in which a query was submitted; `undefined` for one that nobody supervises. */
export function callerOf(query: unknown): AsyncResource | undefined {
  return (query as { [CALLER]?: AsyncResource } | null | undefined)?.[CALLER];
}
