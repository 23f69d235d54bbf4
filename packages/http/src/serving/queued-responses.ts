import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

const QUEUED = Symbol('curfew.queued');

interface QueueingSocket extends Socket {
  [QUEUED]?: Set<ServerResponse>;
}

/**
 * Calls `lost` with a pipelined response when its connection closes. A response that waits for the one before it has
 * no socket yet, and up to Node 22 nothing emits `close` on it. One listener serves a connection, however many wait.
 *
 * @param lost The same function for all responses of a process.
 */
export function onConnectionLost(response: ServerResponse, lost: (response: ServerResponse) => void): void {
  const socket = response.req.socket as QueueingSocket;
  if (socket.closed) {
    lost(response);
    return;
  }
  let queued = socket[QUEUED];
  if (queued === undefined) {
    const waiting = new Set<ServerResponse>();
    queued = socket[QUEUED] = waiting;
    socket.once('close', () => {
      for (const each of waiting) lost(each);
      waiting.clear();
    });
  }
  queued.add(response);
}

/** Undoes `onConnectionLost`, once the response has closed after all. */
export function forgetQueued(response: ServerResponse): void {
  (response.req.socket as QueueingSocket)[QUEUED]?.delete(response);
}

/**
 * Emits the `close` that Node owes a response which never had its turn: what waits for it, such as the end of a
 * SERVER span, would wait for ever. In a turn of its own, as Node does, and never twice.
 */
export function emitClose(response: ServerResponse): void {
  process.nextTick(emitCloseNow, response);
}

function emitCloseNow(response: ServerResponse): void {
  if (response.closed) return;
  // What Node itself looks at before it emits, and what `closed` says.
  (response as ServerResponse & { _closed: boolean })._closed = true;
  response.destroyed = true;
  response.emit('close');
}
