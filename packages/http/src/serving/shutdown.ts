// One slot for every installed copy: whoever starts the shutdown need not know which copy serves the requests.
const SHUTDOWN = Symbol.for('@curfew/http.shutdown.v1');

const slots = globalThis as { [SHUTDOWN]?: boolean };

/**
 * Tells that this process is going down: a connection that the server closes from now on ended its requests by
 * `shutdown`, and not because of anything in their handlers. There is no way back.
 *
 * @example
 * ```ts
 * import { beginShutdown } from '@curfew/http';
 * process.once('SIGTERM', () => {
 *   beginShutdown();
 *   server.close();
 *   server.closeAllConnections();
 * });
 * ```
 */
export function beginShutdown(): void {
  slots[SHUTDOWN] = true;
}

/** Who closes what this side closes. */
export function thisSide(): 'caller' | 'shutdown' {
  return slots[SHUTDOWN] === true ? 'shutdown' : 'caller';
}
