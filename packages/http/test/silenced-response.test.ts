import { execFile } from 'node:child_process';
import { once } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { onEnd, type Context } from '@curfew/context';
import { requestContext, wrapListener } from '@curfew/http';
import { closeAll, dial, Ends, get, listen, turn, useContextManager } from './servers';

// What a handler finds on the response after our 504, however it reaches it.

let ends: Ends;
let undo: (() => unknown)[];
const late: unknown[] = [];
const note = (error: unknown) => late.push(error);

beforeEach(() => {
  ends = new Ends();
  undo = [useContextManager(), ends.stop];
  late.length = 0;
  process.on('unhandledRejection', note);
  process.on('uncaughtException', note);
});
afterEach(async () => {
  await closeAll();
  process.off('unhandledRejection', note);
  process.off('uncaughtException', note);
  for (const each of undo.reverse()) each();
});

type Handler = (request: IncomingMessage, response: ServerResponse, closed: Promise<unknown>) => unknown;

/** Serves one request with a limit that passes; resolves once the handler has returned, with the answers seen. */
async function afterTimeout(protocol: string, handler: Handler): Promise<[number | undefined, unknown]> {
  let returned: (value: unknown) => void;
  const done = new Promise((resolve) => (returned = resolve));
  const listener = wrapListener(
    (request: IncomingMessage, response: ServerResponse) => {
      const closed = once(response, 'close');
      const result = (async () => handler(request, response, closed))();
      result.then(returned, returned);
      return result;
    },
    { timeout: 20 },
  );
  const status = protocol === 'HTTP/1' ? await overHttp1(listener) : await overHttp2(listener);
  const result = await done;
  for (let i = 0; i < 3; i++) await turn();
  return [status, result];
}

async function overHttp1(listener: (request: IncomingMessage, response: ServerResponse) => unknown) {
  const answer = await fetch(await listen(listener));
  await answer.text();
  return answer.status;
}

async function overHttp2(
  listener: (request: never, response: never) => unknown,
): Promise<number | undefined> {
  const server = http2.createServer(listener as Parameters<typeof http2.createServer>[1]);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = http2.connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const stream = client.request({ ':path': '/' });
  const [headers] = (await once(stream, 'response')) as [Record<string, number>];
  stream.resume();
  await once(stream, 'close');
  expect(stream.rstCode).toBe(0);
  client.close();
  server.close();
  return headers[':status'];
}

/** What is looked up before an await, by name. */
const CAPTURED: Record<string, Handler> = {
  setHeader: async (_, response, closed) => response.setHeader('etag', await closed.then(() => 'x')),
  appendHeader: async (_, response, closed) => response.appendHeader('etag', await closed.then(() => 'x')),
  writeHead: async (_, response, closed) => response.writeHead(await closed.then(() => 200), { etag: 'x' }),
  write: async (_, response, closed) => response.write(await closed.then(() => 'x')),
  end: async (_, response, closed) => void response.end(await closed.then(() => 'x')),
  'removeHeader, bound': async (_, response, closed) => {
    const removeHeader = response.removeHeader.bind(response);
    await closed;
    removeHeader('etag');
  },
  'all of the prototype': async (_, response, closed) => {
    await closed;
    const native = Object.getPrototypeOf(response) as ServerResponse;
    native.setHeader.call(response, 'etag', 'x');
    native.removeHeader.call(response, 'etag');
    native.writeContinue.call(response);
    native.writeEarlyHints.call(response, { link: '</a>; rel=preload' });
    native.writeHead.call(response, 200);
    native.flushHeaders.call(response);
    native.write.call(response, 'x', 'utf8');
    native.addTrailers.call(response, { etag: 'x' });
    native.end.call(response, 'x', 'utf8');
    native.end.call(response, 'x', 'utf8');
  },
};

describe.each(['HTTP/1', 'HTTP/2'])('after our 504, over %s', (protocol) => {
  test.each(Object.keys(CAPTURED))(
    'a native method that was reached before does not throw: %s',
    async (name) => {
      const [status, result] = await afterTimeout(protocol, CAPTURED[name] as Handler);
      expect([status, result instanceof Error, late]).toEqual([504, false, []]);
    },
  );

  test('nor in the turn in which it is given to the connection, and nothing more gets onto the wire', async () => {
    const [status, result] = await afterTimeout(protocol, async (request, response) => {
      const native = Object.getPrototypeOf(response) as ServerResponse;
      await new Promise<void>((resolve) => {
        onEnd(requestContext(request) as Context, () => {
          native.writeContinue.call(response);
          native.setHeader.call(response, 'x', 'y');
          native.write.call(response, 'x', 'utf8');
          native.end.call(response, 'x', 'utf8');
          response.destroy();
          resolve();
        });
      });
      return response.statusCode;
    });
    expect([status, result, late]).toEqual([504, 504, []]);
  });

  test('a writer that waits for drain, and a pipeline, come to their end and release what they hold', async () => {
    const released: string[] = [];
    const [status, result] = await afterTimeout(protocol, async (_, response, closed) => {
      async function* rows() {
        try {
          await closed;
          yield 'a';
          yield 'b';
        } finally {
          released.push('rows');
        }
      }
      await pipeline(rows(), response);
      if (!response.write('more')) await once(response, 'drain');
      return 'done';
    });
    expect([status, result, released, late]).toEqual([504, 'done', ['rows'], []]);
  });

  test('a handler finds its socket, the status that was sent, and that the head is gone', async () => {
    const [, result] = await afterTimeout(protocol, async (_, response, closed) => {
      await closed;
      response.statusCode = 200;
      return [typeof response.socket, response.statusCode, response.headersSent, response.writableEnded];
    });
    expect(result).toEqual(['object', 504, true, true]);
  });
});

test('what the handler sends after our 504 is neither sent nor kept, and the connection goes on', async () => {
  const native = http.ServerResponse.prototype;
  const sendAll = (response: ServerResponse) => {
    native.writeContinue.call(response);
    native.flushHeaders.call(response);
    native.write.call(response, 'late', 'utf8');
    response.destroy();
  };
  let first: ServerResponse | undefined;
  const url = await listen(
    wrapListener(
      (request, response) => {
        if (request.url === '/next') {
          sendAll(first as ServerResponse);
          response.end('fine');
        } else {
          first = response;
          // The 504 has been given to the connection, which is still its own.
          onEnd(requestContext(request) as Context, () => sendAll(response));
        }
      },
      { timeout: 20 },
    ),
  );
  const client = await dial(url);
  let text = '';
  client.on('data', (chunk) => (text += String(chunk)));
  client.write(get('/'));
  while (!text.includes('exceeded\n')) await once(client, 'data');
  for (const ending of ['fine', 'finefine']) {
    client.write(get('/next'));
    while (!bodiesOf(text).endsWith(ending)) await once(client, 'data');
  }
  expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 504', 'HTTP/1.1 200', 'HTTP/1.1 200']);
  expect(bodiesOf(text)).toBe('context deadline exceeded\nfinefine');
  expect((first as unknown as { outputData: unknown[] }).outputData).toEqual([]);
});

/** All bodies that came over a connection, one after the other. */
function bodiesOf(text: string): string {
  return text.replace(/HTTP\/1\.1 \d+ [^]*?\r\n\r\n/g, '');
}

test('a stream that was being piped into the answer harms nobody', async () => {
  const [status] = await afterTimeout('HTTP/1', async (_, response, closed) => {
    const source = new Readable({ read: () => undefined });
    source.pipe(response);
    await closed;
    source.push('late');
    source.push(null);
  });
  expect([status, late]).toEqual([504, []]);
});

describe('in a process where nobody catches anything', () => {
  async function streamed(env: Record<string, string>): Promise<Record<string, unknown>> {
    const program = join(__dirname, 'fixtures', 'late-streams.cjs');
    const { stdout } = await promisify(execFile)(process.execPath, [program], {
      env: { ...process.env, ...env },
    });
    return JSON.parse(stdout) as Record<string, unknown>;
  }
  const each = (begun: unknown) =>
    Object.fromEntries(
      ['generator', 'stream', 'web'].flatMap((kind) => [
        [`${kind} before`, 504],
        [`${kind} begun`, begun],
        [`${kind} after`, 504],
      ]),
    );

  test('streams into a response that we answered, or cut off, do not end it', async () => {
    expect(await streamed({})).toEqual(each('cut'));
  });

  test('and where their errors would not be taken, what has begun goes on', async () => {
    const kept = await streamed({ CURFEW_GUARD: '0', NODE_OPTIONS: '--unhandled-rejections=warn' });
    expect(kept).toEqual(each(200));
  });
});
