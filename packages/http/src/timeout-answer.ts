import type { ServerResponse } from 'node:http';
import type { Http2ServerResponse } from 'node:http2';

/** A response of node:http or of http2's compatibility API. */
export type AnyResponse = ServerResponse | Http2ServerResponse;

const GATEWAY_TIMEOUT = 504;
const BODY = 'context deadline exceeded\n';

/** RST_STREAM with CANCEL, as gRPC and Connect expect it: a plain destroy would say INTERNAL_ERROR. */
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

/** Whether it is one of http2. By the version, since anybody may put a `stream` onto a response. */
export function isHttp2(response: AnyResponse): response is Http2ServerResponse {
  return response.req.httpVersionMajor >= 2;
}

/** Whether somebody has already answered, or there is nobody left to answer. */
function isOver(response: AnyResponse): boolean {
  return response.writableEnded || (isHttp2(response) ? response.stream.destroyed : response.destroyed);
}

/**
 * Answers 504 because the deadline passed, or cuts off an answer that had begun. A handler may go on writing for
 * as long as it takes to notice: after the 504 its writes do nothing, instead of throwing ERR_HTTP_HEADERS_SENT
 * into code that never expected it. An answer that was already given completely is left to arrive.
 */
export function answerTimeout(response: AnyResponse): void {
  if (isOver(response)) return;
  if (response.headersSent) {
    cutOff(response);
    return;
  }
  try {
    sendTimeout(response);
  } catch {
    // Whatever the handler did to the response, its client must not wait for ever.
    cutOff(response);
  }
}

/** Sends the 504 past whatever middleware put over the methods of this response: it would compress or rewrite it. */
function sendTimeout(response: AnyResponse): void {
  for (const name of response.getHeaderNames()) if (OF_THE_BODY.has(name)) response.removeHeader(name);
  const native = Object.getPrototypeOf(response) as ServerResponse;
  const headers = { 'content-type': 'text/plain; charset=utf-8', 'content-length': BODY.length };
  native.writeHead.call(response as ServerResponse, GATEWAY_TIMEOUT, headers);
  native.end.call(response as ServerResponse, BODY, 'utf8');
  Object.defineProperties(response, SILENT);
}

function cutOff(response: AnyResponse): void {
  if (isHttp2(response)) response.stream.close(NGHTTP2_CANCEL);
  else response.destroy();
}

function returnsItself(this: unknown): unknown {
  return this;
}

function returnsNothing(): void {}

/** Calls back what waits for its write; nobody else is told that it went nowhere. */
function callBack(args: readonly unknown[]): void {
  const callback = args[args.length - 1];
  if (typeof callback === 'function') process.nextTick(callback);
}

/** `false`, as a destroyed response says: a writer waits for `drain`, and a pipe ends with the response's close. */
function writesNothing(...args: unknown[]): boolean {
  callBack(args);
  return false;
}

function endsNothing(this: unknown, ...args: unknown[]): unknown {
  callBack(args);
  return this;
}

function hidden(value: (...args: never[]) => unknown): PropertyDescriptor {
  return { value, configurable: true, writable: true, enumerable: false };
}

/** What the handler finds on the response after our answer. The status stays what was sent, for logs and spans. */
const SILENT: PropertyDescriptorMap = {
  writeHead: hidden(returnsItself),
  setHeader: hidden(returnsItself),
  setHeaders: hidden(returnsItself),
  appendHeader: hidden(returnsItself),
  removeHeader: hidden(returnsNothing),
  flushHeaders: hidden(returnsNothing),
  addTrailers: hidden(returnsNothing),
  writeContinue: hidden(returnsNothing),
  writeProcessing: hidden(returnsNothing),
  writeEarlyHints: hidden((...args: unknown[]) => callBack(args)),
  write: hidden(writesNothing),
  end: hidden(endsNothing),
  statusCode: { get: () => GATEWAY_TIMEOUT, set: returnsNothing, configurable: true, enumerable: true },
  statusMessage: { get: () => 'Gateway Timeout', set: returnsNothing, configurable: true, enumerable: true },
};
