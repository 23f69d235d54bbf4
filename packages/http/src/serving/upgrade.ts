import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { context } from '@opentelemetry/api';
import { checkFunction, end, isEnforced, retire, withCancel, withoutCancel } from '@curfew/context/spi';
import { thisSide } from './shutdown';
import { connectionLost, socketClosedByPeer } from './who-closed';

/**
 * Wraps a listener of `upgrade` or `connect` events, so that it runs under a context that lives as long as the
 * connection: it completes when this side ended the connection, and is canceled when the connection just went away, as
 * `client_disconnect` where the peer closed first, else as `caller`, or `shutdown` once `beginShutdown` was called. It
 * has no deadline, whatever the request's headers say: a budget is for the answer to a request, not for the
 * conversation after it.
 *
 * @returns A listener that returns what the given one returns.
 * @throws TypeError if the listener is no function.
 * @example
 * ```ts
 * import { WebSocketServer } from 'ws';
 * import { wrapUpgrade } from '@curfew/http';
 * const sockets = new WebSocketServer({ noServer: true });
 * server.on('upgrade', wrapUpgrade((request, socket, head) => sockets.handleUpgrade(request, socket, head, chat)));
 * ```
 */
export function wrapUpgrade<Socket extends Duplex>(
  listener: (request: IncomingMessage, socket: Socket, head: Buffer) => unknown,
): (this: unknown, request: IncomingMessage, socket: Socket, head: Buffer) => unknown {
  checkFunction(listener, 'listener');
  return function (request, socket, head) {
    const [ctx, release] = withCancel(withoutCancel(context.active()), {
      name: 'http.server',
      longLived: true,
    });
    let endedHere: boolean | undefined;
    // First in line, since who hears of the peer's end ends this side in turn.
    socket.prependOnceListener('end', () => {
      endedHere ??= socket.writableEnded;
    });
    socket.prependOnceListener('close', () => {
      const byPeer = endedHere === undefined ? socketClosedByPeer(socket) : !endedHere;
      if (byPeer || !socket.writableFinished) {
        const origin = byPeer ? 'client_disconnect' : thisSide();
        // The response to an upgrade was its 101, or whatever the listener sent.
        end(ctx, { origin, cause: connectionLost(byPeer, true), automatic: true });
      } else if (isEnforced()) release();
      else retire(ctx);
    });
    context.bind(ctx, socket);
    return context.with(ctx, () => listener.call(this, request, socket, head));
  };
}
