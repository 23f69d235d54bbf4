import { afterFunc, detach } from '@curfew/context/spi';
import { context } from '@opentelemetry/api';
import { endOf, refusalOf, tellRefused, type Call } from '../call';
import type { DriverClient, DriverPool } from '../driver';

/** What `checkout` gives to `pool.connect` at this moment. */
let arriving: unknown;

/** Whether a callback of `pool.connect` is that of `checkout`, which finds its caller by itself. */
export function isOfCheckout(callback: unknown): boolean {
  return callback !== undefined && callback === arriving;
}

type Waiter = (error: unknown, client?: DriverClient, release?: unknown) => void;

/**
 * Waits for a client of a pool, but no longer than the call's context lives. A client that arrives later goes back at
 * once. What the pool does by itself meanwhile (connecting, its `connect` event, `onConnect`) is detached: a
 * connection serves many requests, and the end of the one that happened to open it must not cut its set-up short.
 *
 * @param waiter Called once, in the asynchronous context of the call.
 */
export function checkout(call: Call, pool: DriverPool, waiter: Waiter): void {
  // What is not refused though its context has ended is not to end with it later either.
  const spared = call.ctx.err() !== undefined;
  const refused = spared ? refusalOf(call) : undefined;
  if (refused !== undefined) {
    tellRefused();
    setImmediate(waiter, refused);
    return;
  }
  let waiting = true;
  let stop: () => boolean = () => false;
  const settle: Waiter = (error, client, release) => {
    waiting = false;
    stop();
    call.caller.runInAsyncScope(waiter, undefined, error, client, release);
  };
  const queue = pool._pendingQueue;
  const before = queue?.length ?? 0;
  const arrived: Waiter = (error, client, release) => {
    // The clock may know of the end before any timer does.
    const ended = waiting && !spared ? endOf(call) : undefined;
    if (waiting && ended === undefined) {
      settle(error, client, release);
      return;
    }
    client?.release?.();
    if (waiting) settle(ended);
  };
  context.with(detach(call.ctx), () => {
    arriving = arrived;
    try {
      pool.connect(arrived);
    } finally {
      arriving = undefined;
    }
  });
  if (!waiting || spared) return;
  const place = queue !== undefined && queue.length > before ? queue.at(-1) : undefined;
  stop = afterFunc(call.ctx, () => {
    const ended = waiting ? endOf(call) : undefined;
    if (ended === undefined) return;
    if (place !== undefined) {
      // As the pool itself does when its own timeout passes: the place is given up, a late client put back.
      place.timedOut = true;
      const index = queue?.indexOf(place) ?? -1;
      if (index !== -1) queue?.splice(index, 1);
    }
    settle(ended);
  });
}
