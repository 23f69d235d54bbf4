import { AsyncResource } from 'node:async_hooks';
import { onEnd, withoutCancel, type Context } from '@curfew/context';
import { hooks } from '@curfew/context/spi';
import { context } from '@opentelemetry/api';
import type { DriverClient, DriverPool } from './driver';

type Waiter = (error: unknown, client?: DriverClient, release?: unknown) => void;

/**
 * Waits for a client of a pool, but no longer than the context lives. A client that arrives later goes back at
 * once. What the pool does by itself meanwhile (connecting, its `connect` event, `onConnect`) is detached: a
 * connection serves many requests, and the end of the one that happened to open it must not cut its set-up short.
 *
 * @param waiter Called once, in the asynchronous context of now.
 */
export function checkout(ctx: Context, pool: DriverPool, waiter: Waiter): void {
  const caller = new AsyncResource('CURFEW_PG_CONNECT');
  const refused = ctx.err();
  if (refused !== undefined) {
    hooks.callRefused?.({ source: 'postgresql' });
    process.nextTick(() => caller.runInAsyncScope(waiter, undefined, refused));
    return;
  }
  let waiting = true;
  let stop: () => boolean = () => false;
  const queue = pool._pendingQueue;
  const before = queue?.length ?? 0;
  context.with(withoutCancel(ctx), () => {
    pool.connect((error, client, release) => {
      // The clock may know of the end before any timer does: this ends the context, and so the waiting.
      ctx.err();
      stop();
      if (!waiting) {
        client?.release?.();
        return;
      }
      waiting = false;
      caller.runInAsyncScope(waiter, undefined, error, client, release);
    });
  });
  const place = queue !== undefined && queue.length > before ? queue.at(-1) : undefined;
  if (!waiting) return;
  stop = onEnd(ctx, () => {
    waiting = false;
    if (place !== undefined) {
      // As the pool itself does when its own timeout passes: the place is given up, a late client put back.
      place.timedOut = true;
      const index = queue?.indexOf(place) ?? -1;
      if (index !== -1) queue?.splice(index, 1);
    }
    process.nextTick(() => caller.runInAsyncScope(waiter, undefined, ctx.err()));
  });
}
