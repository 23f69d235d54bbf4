import type { ServerHttp2Stream } from 'node:http2';
import type { Duplex } from 'node:stream';
import type { DisconnectCause } from '@curfew/propagation';
import { isHttp2, type AnyResponse } from './any-response';

/** What a socket fails with when the other side reset the connection, or can no longer be reached. */
const GONE = new Set<unknown>(['ECONNRESET', 'EPIPE', 'ECONNABORTED', 'ETIMEDOUT']);

/** What http2 makes of a reset that came over the wire. */
const RESET = new Set<unknown>(['ERR_HTTP2_STREAM_ERROR', 'ERR_HTTP2_SESSION_ERROR']);

const RESET_BY_PEER = Symbol('curfew.reset-by-peer');

type MarkedStream = ServerHttp2Stream & { [RESET_BY_PEER]?: boolean };

/**
 * Lets `closedByPeer` tell whose reset it was: both sides reset with the same codes. It costs HTTP/1 nothing, where
 * the socket itself knows.
 */
export function watchResets(stream: ServerHttp2Stream): void {
  stream.prependListener('aborted', onAborted);
}

/**
 * A reset of the peer's aborts a stream that nobody has destroyed yet; one of our own comes from its destruction, unless
 * that is of the whole session, because of what came over the wire.
 */
function onAborted(this: MarkedStream): void {
  const { session } = this;
  this[RESET_BY_PEER] = !this.destroyed || (session?.destroyed === true && failedByWire(this));
}

function failedByWire(stream: ServerHttp2Stream): boolean {
  const code = codeOf(stream.errored);
  return RESET.has(code) || GONE.has(code);
}

/** Whether the peer closed: its FIN or RST was seen. If not, this side did, by whatever means. */
export function closedByPeer(response: AnyResponse): boolean {
  if (!isHttp2(response)) return socketClosedByPeer(response.req.socket);
  const stream = response.stream as MarkedStream;
  // What had been ended, and was still being written, is not aborted.
  return stream[RESET_BY_PEER] ?? (stream.rstCode !== 0 || failedByWire(stream));
}

/** As `closedByPeer`, of a connection. */
export function socketClosedByPeer(socket: Duplex): boolean {
  return socket.readableEnded || GONE.has(codeOf(socket.errored));
}

/** The error that this side destroyed a response with; `undefined` for none, and for the news of the peer's close. */
export function errorOfThisSide(response: AnyResponse): Error | undefined {
  if (isHttp2(response)) {
    const stream = response.stream as MarkedStream;
    return (stream[RESET_BY_PEER] ?? failedByWire(stream)) ? undefined : (stream.errored ?? undefined);
  }
  // A response that never had its turn is destroyed by Node itself where its connection closes, as ECONNRESET.
  return response.socket === null ? undefined : (response.errored ?? undefined);
}

/** Why a context ended whose connection closed before its response was finished. */
export function connectionLost(byPeer: boolean, responseStarted: boolean): DisconnectCause {
  const message = byPeer ? 'client disconnected' : 'connection closed by the server';
  const error = new Error(message) as Error & { responseStarted: boolean };
  error.responseStarted = responseStarted;
  return error;
}

function codeOf(error: NodeJS.ErrnoException | null): unknown {
  return error?.code;
}
