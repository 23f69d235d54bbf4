import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { context } from '@opentelemetry/api';
import { withCancel, withoutCancel } from '@curfew/context';
import { end, type DisconnectCause } from '@curfew/context/spi';

/**
 * Wraps a listener of `upgrade` or `connect` events, so that it runs under a context that lives as long as the
 * connection: it completes when this side ended the connection, and ends as `client_disconnect` when the peer
 * just went away. It has no deadline, whatever the request's headers say: a budget is for the answer to a
 * request, not for the conversation after it.
 *
 * @returns A listener that returns what the given one returns.
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
  return function (request, socket, head) {
    const [ctx, release] = withCancel(withoutCancel(context.active()), {
      name: 'http.server',
      longLived: true,
    });
    socket.prependOnceListener('close', () => {
      if (socket.writableFinished) release();
      else end(ctx, { origin: 'client_disconnect', cause: connectionLost() });
    });
    context.bind(ctx, socket);
    return context.with(ctx, () => listener.call(this, request, socket, head));
  };
}

/** The response to an upgrade was its 101, or whatever the listener sent. */
function connectionLost(): DisconnectCause {
  return Object.assign(new Error('client disconnected'), { responseStarted: true });
}
