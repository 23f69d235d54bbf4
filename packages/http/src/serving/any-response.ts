import type { ServerResponse } from 'node:http';
import type { Http2ServerResponse } from 'node:http2';

/** A response of node:http or of http2's compatibility API. */
export type AnyResponse = ServerResponse | Http2ServerResponse;

/** Whether it is one of http2. By the version, since anybody may put a `stream` onto a response. */
export function isHttp2(response: AnyResponse): response is Http2ServerResponse {
  return response.req.httpVersionMajor >= 2;
}

/** Whether it has emitted `close`, and never will again. */
export function isClosed(response: AnyResponse): boolean {
  // Of http2's only this tells: its stream calls itself closed while the event is still to come.
  return isHttp2(response) ? (response.socket as unknown) === undefined : response.closed;
}

/**
 * Whether all of the response was handed over. `writableFinished` alone does not tell: when a client hangs up
 * in the middle of the last write Node emits `finish` all the same, and http2 emits it after every reset.
 */
export function isFinished(response: AnyResponse): boolean {
  if (!response.writableEnded) return false;
  if (isHttp2(response)) return response.stream.rstCode === 0 && response.stream.writableFinished;
  return response.writableFinished && response.req.socket?.destroyed !== true;
}
