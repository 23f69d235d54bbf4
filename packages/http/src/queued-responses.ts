import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

const QUEUED = Symbol('curfew.queued');

interface QueueingSocket extends Socket {
  [QUEUED]?: Set<() => void>;
}

/**
 * Calls `gone` when the connection of a pipelined request closes. A response that waits for the one before it
 * has no socket yet, and Node never emits `close` on it. One listener serves a connection, however many wait.
 *
 * @returns How to stop, to be called when the response closes after all.
 */
export function onConnectionLost(response: ServerResponse, gone: () => void): () => void {
  const socket = response.req.socket as QueueingSocket;
  let queued = socket[QUEUED];
  if (queued === undefined) {
    const waiting = new Set<() => void>();
    queued = socket[QUEUED] = waiting;
    socket.once('close', () => {
      for (const each of waiting) each();
      waiting.clear();
    });
  }
  const waiting = queued;
  waiting.add(gone);
  return () => void waiting.delete(gone);
}
