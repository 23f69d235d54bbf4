import {
  Agent as HttpAgent,
  request as httpRequest,
  type ClientRequest,
  type IncomingMessage,
} from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

// Why this is ours. OpenTelemetry's own transport has no socket unref'd and waits for a retry with a timer that is not,
// so that a process that has finished lives on while a Collector is away or silent; its timeout is one of silence, which
// an answer of a byte a second never meets; and it cannot be hurried at the end of the process. Its agent could be
// replaced, its timers not.

// Taken when this file is loaded, before anything is instrumented: an export is nobody's request, must not be
// cancelled with one, and has no span.
const open = { 'http:': httpRequest, 'https:': httpsRequest } as const;
const compress = promisify(gzip);

/** Where exports of one signal go, and how. */
export interface Destination {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly compression: 'none' | 'gzip';
  /** Milliseconds for one export, retries included. */
  readonly timeout: number;
  readonly tls?: { readonly ca?: Buffer; readonly cert?: Buffer; readonly key?: Buffer };
}

/** Carries exports to a Collector. */
export interface Transport {
  /** Resolves with the body of the answer; rejects with a one-line reason when the Collector cannot be reached. */
  send(body: Uint8Array): Promise<Uint8Array>;
  /** Resolves when nothing is on its way. Meanwhile each export is tried once more at most. */
  settled(): Promise<void>;
}

/** Connecting counts as work for Node.js, whatever is unref'd; so a silent network gets this many milliseconds. */
const CONNECT_LIMIT = 2_000;

/** An answer is a few bytes; a server that sends more than this is none that we want to listen to. */
const ANSWER_LIMIT = 65_536;

/** Milliseconds until the first retry; each further one waits twice as long. */
const FIRST_RETRY = 1_000;

/** What OTLP's specification calls retryable. */
const RETRYABLE = new Set([429, 502, 503, 504]);

interface Answer {
  readonly body: Uint8Array;
  /** Why the export failed; `undefined` where it did not. */
  readonly failure?: string;
  readonly retry?: boolean;
  /** Milliseconds that the server asks to wait. */
  readonly retryAfter?: number;
}

/**
 * Makes a transport whose sockets and timers never keep the process alive: the SDK's own one holds a process that
 * has finished for up to ten seconds when the Collector is not there.
 */
export function createTransport(destination: Destination): Transport {
  const { url, timeout, tls, compression } = destination;
  const options = { keepAlive: true, maxSockets: 4 };
  const agent = url.protocol === 'https:' ? new HttpsAgent({ ...options, ...tls }) : new HttpAgent(options);
  const pending = new Set<Promise<unknown>>();
  const resting = new Set<() => void>();
  /** Who waits for everything to settle: nobody is kept waiting by further retries. */
  let hurried = 0;

  async function deliver(body: Uint8Array): Promise<Uint8Array> {
    const until = performance.now() + timeout;
    const packed = compression === 'gzip' ? await compress(body) : body;
    for (let wait = FIRST_RETRY; ; wait *= 2) {
      const answer = await attempt(destination, agent, packed, until - performance.now());
      if (answer.failure === undefined) return answer.body;
      // Spread out, so that the services of a cluster do not all knock at once when the Collector is back.
      const pause = answer.retryAfter ?? wait * (0.8 + 0.4 * Math.random());
      const last = answer.retry !== true || hurried > 0 || performance.now() + pause >= until;
      if (last) throw new Error(answer.failure);
      await rest(pause, resting);
    }
  }

  return {
    send(body) {
      const sent = deliver(body);
      pending.add(sent);
      const done = () => void pending.delete(sent);
      sent.then(done, done);
      return sent;
    },
    async settled() {
      hurried++;
      for (const wake of resting) wake();
      await Promise.allSettled(pending);
      hurried--;
    },
  };
}

/** One request, of so many milliseconds; never rejects. */
function attempt(
  destination: Destination,
  agent: HttpAgent,
  body: Uint8Array,
  limit: number,
): Promise<Answer> {
  const { url, headers, compression } = destination;
  return new Promise((resolve) => {
    const request = open[url.protocol as 'http:' | 'https:'](url, {
      method: 'POST',
      agent,
      headers: {
        ...headers,
        ...(compression === 'gzip' ? { 'content-encoding': 'gzip' } : {}),
        'content-length': body.byteLength,
      },
    });
    const giveUp = () => request.destroy(new Error(`no answer within ${Math.round(limit)} ms`));
    const answerBy = setTimeout(giveUp, limit).unref();
    const finish = (answer: Answer) => {
      clearTimeout(answerBy);
      resolve(answer);
    };
    const fail = (error: unknown) => finish({ body: NOTHING, failure: reasonOf(error), retry: true });
    neverKeepsTheProcess(request);
    request.on('error', fail);
    request.on('response', (response) => void read(response).then(finish, fail));
    request.end(body);
  });
}

const NOTHING = new Uint8Array();

function neverKeepsTheProcess(request: ClientRequest): void {
  // The time to connect begins here: before, an export may have waited for its turn at the agent's connections.
  request.on('socket', (socket) => {
    socket.unref();
    if (!socket.connecting) return;
    const giveUp = () => request.destroy(new Error(`no connection within ${CONNECT_LIMIT} ms`));
    const connectBy = setTimeout(giveUp, CONNECT_LIMIT).unref();
    request.once('close', () => clearTimeout(connectBy));
    socket.once('connect', () => clearTimeout(connectBy));
  });
}

async function read(response: IncomingMessage): Promise<Answer> {
  const { statusCode = 0 } = response;
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.byteLength;
    if (size > ANSWER_LIMIT) break;
    chunks.push(chunk);
  }
  const body = Buffer.concat(chunks);
  if (statusCode >= 200 && statusCode < 300) return { body };
  const wait = Number(response.headers['retry-after']);
  return {
    body,
    failure: `HTTP status ${statusCode}`,
    retry: RETRYABLE.has(statusCode),
    ...(wait > 0 ? { retryAfter: wait * 1000 } : {}),
  };
}

/** Waits without keeping the process, for so long or until woken. */
function rest(ms: number, resting: Set<() => void>): Promise<void> {
  return new Promise((resolve) => {
    const wake = () => {
      clearTimeout(timer);
      resting.delete(wake);
      resolve();
    };
    const timer = setTimeout(wake, ms).unref();
    resting.add(wake);
  });
}

/** The first line of what went wrong; where every address of a host failed, of the first that did. */
function reasonOf(error: unknown): string {
  const { message = '', code, errors } = error as { message?: string; code?: string; errors?: unknown[] };
  if (errors?.[0] !== undefined) return reasonOf(errors[0]);
  return (message === '' ? (code ?? 'the connection failed') : message).split('\n', 1)[0] as string;
}
