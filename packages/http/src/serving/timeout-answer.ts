import type { OutgoingMessage } from 'node:http';
import type { Context } from '@curfew/context';
import { automaticError, noteCut } from '@curfew/context/spi';
import { isHttp2, type AnyResponse } from './any-response';
import { GATEWAY_TIMEOUT, silence } from './silenced-response';

const BODY = 'context deadline exceeded\n';

/** RST_STREAM with CANCEL, as gRPC and Connect expect it: a plain destroy would say NO_ERROR, as if all were well. */
const NGHTTP2_CANCEL = 8;

/** Headers that describe the answer which the handler was preparing, and would be lies about this one. */
const OF_THE_BODY = new Set([
  'accept-ranges',
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-length',
  'content-location',
  'content-md5',
  'content-range',
  'content-type',
  'etag',
  'expires',
  'last-modified',
  'trailer',
  'transfer-encoding',
]);

/** Whether somebody has already answered, or there is nobody left to answer. */
function isOver(response: AnyResponse): boolean {
  return response.writableEnded || (isHttp2(response) ? response.stream.destroyed : response.destroyed);
}

/**
 * Answers 504 because the deadline passed, or cuts off an answer that had begun. A handler may go on writing for
 * as long as it takes to notice: after the 504 its writes do nothing, instead of throwing that the head was sent
 * into code that never expected it. An answer that was already given completely is left to arrive.
 *
 * @param ctx The context of the request, for the error of what is cut off; `undefined` where it has none.
 * @param mayCut Whether an answer that has begun is cut off, or left to go on.
 */
export function answerTimeout(response: AnyResponse, ctx?: Context, mayCut = true): void {
  if (isOver(response)) return;
  if (response.headersSent) {
    if (mayCut) cutOff(response, ctx);
    return;
  }
  // What streams into the response finds it closed, and says so in words that do not tell who closed it.
  if (ctx !== undefined) noteCut(ctx);
  try {
    sendTimeout(response);
  } catch {
    // Whatever the handler did to the response, its client must not wait for ever.
    cutOff(response, ctx);
  }
}

/** Sends the 504 past whatever middleware put over the methods of this response: it would compress or rewrite it. */
function sendTimeout(response: AnyResponse): void {
  // Both kinds have these methods alike. That of http2 calls its own `write`.
  const native = Object.getPrototypeOf(response) as OutgoingMessage & { writeHead(status: number): void };
  const target = response as unknown as OutgoingMessage;
  for (const name of target.getHeaderNames()) {
    if (OF_THE_BODY.has(name)) native.removeHeader.call(target, name);
  }
  native.setHeader.call(target, 'content-type', 'text/plain; charset=utf-8');
  native.setHeader.call(target, 'content-length', BODY.length);
  Object.defineProperty(response, 'write', { value: native.write, configurable: true, writable: true });
  native.writeHead.call(target, GATEWAY_TIMEOUT);
  native.end.call(target, response.req.method === 'HEAD' ? undefined : BODY, 'utf8');
  silence(response);
}

/**
 * What still writes to the response fails with an error of ours, which says why, and not with that of a client which
 * hung up. Streams ask for it under this name.
 */
export function failWriters(response: AnyResponse, ctx: Context): void {
  Object.defineProperty(response, 'writableErrored', { value: automaticError(ctx), configurable: true });
}

function cutOff(response: AnyResponse, ctx: Context | undefined): void {
  if (ctx !== undefined) failWriters(response, ctx);
  if (isHttp2(response)) response.stream.close(NGHTTP2_CANCEL);
  else response.destroy();
}
