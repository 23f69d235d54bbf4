import { OutgoingMessage, type ServerResponse } from 'node:http';
import type { Http2ServerResponse, ServerHttp2Stream } from 'node:http2';
import { isHttp2, type AnyResponse } from './any-response';

export const GATEWAY_TIMEOUT = 504;

/**
 * Makes a response that we have answered harmless to a handler that goes on with it: nothing throws, nothing reaches
 * the wire, callbacks are called. Own methods do so for a handler that looks them up now; one that has looked a native
 * method up before, as `response.setHeader(name, await value)` does, or whose middleware keeps it, finds that
 * no head was sent and that there is nowhere to write to.
 */
export function silence(response: AnyResponse): void {
  // A handler whose response is open finds its socket there, and does not ask twice.
  const { socket } = isHttp2(response) ? response : response.req;
  const kept = { get: () => socket, set: assignsNatively, configurable: true, enumerable: true };
  if (isHttp2(response)) silenceNativeHttp2(response);
  else silenceNative(response);
  Object.defineProperties(response, { ...SILENT, socket: kept });
}

function hidden(value: unknown): PropertyDescriptor {
  return { value, configurable: true, writable: true, enumerable: false };
}

function returnsItself(this: unknown): unknown {
  return this;
}

function returnsNothing(): void {}

/** Node.js 24 keeps the socket of a response behind an accessor, and reads what it set; 20 reads the property, ours. */
const NATIVE_SOCKET = Object.getOwnPropertyDescriptor(OutgoingMessage.prototype, 'socket');

/** A response that waits for the one before it is handed its socket only then, to send what it holds. */
function assignsNatively(this: OutgoingMessage, socket: unknown): void {
  NATIVE_SOCKET?.set?.call(this, socket);
}

/** Calls back what waits for its write; nobody else is told that it went nowhere. */
function callBack(args: readonly unknown[]): void {
  const callback = args[args.length - 1];
  if (typeof callback === 'function') process.nextTick(callback);
}

const DRAINING = Symbol('curfew.draining');

/** Later, so that whoever writes without end lets others have their turn. */
function drainLater(response: NodeJS.EventEmitter & { [DRAINING]?: boolean }): void {
  if (response[DRAINING] === true) return;
  response[DRAINING] = true;
  setImmediate(() => {
    response[DRAINING] = false;
    response.emit('drain');
  });
}

/** A writer that waits for `drain`, or `pipeline`, comes to its end and releases what it holds: only its bytes are lost. */
function writesNothing(this: NodeJS.EventEmitter, ...args: unknown[]): boolean {
  callBack(args);
  drainLater(this);
  return false;
}

function endsNothing(this: NodeJS.EventEmitter, ...args: unknown[]): unknown {
  callBack(args);
  drainLater(this);
  return this;
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
  setTrailer: hidden(returnsNothing),
  writeContinue: hidden(returnsNothing),
  writeProcessing: hidden(returnsNothing),
  writeEarlyHints: hidden((...args: unknown[]) => callBack(args)),
  write: hidden(writesNothing),
  end: hidden(endsNothing),
  headersSent: { get: () => true, set: returnsNothing, configurable: true, enumerable: true },
  statusCode: { get: () => GATEWAY_TIMEOUT, set: returnsNothing, configurable: true, enumerable: true },
  statusMessage: { get: () => 'Gateway Timeout', set: returnsNothing, configurable: true, enumerable: true },
};

/** As Node's own, which put the callback third. */
function sendsNothing(_data: unknown, encoding: unknown, callback: unknown): boolean {
  callBack([encoding, callback].filter((each) => typeof each === 'function'));
  return false;
}

/** Everything that Node would send or queue for a response of HTTP/1 goes through these two. */
const UNSENT: PropertyDescriptorMap = { _send: hidden(sendsNothing), _writeRaw: hidden(sendsNothing) };

function silenceNative(response: ServerResponse): void {
  // The head is on its way, and from here on only asked for: whether one may still be set, and by `headersSent`.
  (response as ServerResponse & { _header: string | null })._header = null;
  // A write now fails by its callback alone, as on any response whose client has left.
  response.destroyed = true;
  Object.defineProperties(response, UNSENT);
}

/** Of http2's stream, what its response asks before it throws, and what it does to it. */
const SPENT: PropertyDescriptorMap = {
  headersSent: hidden(false),
  destroyed: hidden(true),
  closed: hidden(true),
  additionalHeaders: hidden(returnsNothing),
  write: hidden(writesNothing),
  end: hidden(returnsItself),
  destroy: hidden(returnsItself),
};

function silenceNativeHttp2(response: Http2ServerResponse): void {
  const holder = response as unknown as Record<symbol, ServerHttp2Stream>;
  const key = Object.getOwnPropertySymbols(response).find((each) => holder[each] === response.stream);
  if (key !== undefined) holder[key] = Object.create(response.stream, SPENT) as ServerHttp2Stream;
}
