import { globalSlot } from '@curfew/context/spi';

/** What all installed copies share: whoever starts the shutdown need not know which copy serves the requests. */
const shutdown = globalSlot('@curfew/http.shutdown', 1, () => ({ begun: false }));

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
  shutdown.begun = true;
}

/** Who closes what this side closes. */
export function thisSide(): 'caller' | 'shutdown' {
  return shutdown.begun ? 'shutdown' : 'caller';
}
