import type { Context } from '@curfew/context';
import type { Call } from '../call';
import type { DriverClient } from '../driver';

const lost = new WeakMap<DriverClient, Context>();

/** Whether one ever was: every query asks, and most services never lose any. */
let anyLost = false;

/**
 * Ends the connection of a client on behalf of a call. A pool replaces a client that has ended when it is released;
 * until then its holder may go on asking it, a ROLLBACK in a `finally`, and would be told of a closed client where a
 * program without us finds a sound one.
 */
export function giveUpClient(client: DriverClient, call: Call): void {
  if (call.automatic) {
    anyLost = true;
    lost.set(client, call.ctx);
  }
  void Promise.resolve(client.end()).catch(() => undefined);
}

/** The context of the automatic call that has cost the client its connection, if one has. */
export function lostTo(client: DriverClient): Context | undefined {
  return anyLost ? lost.get(client) : undefined;
}
