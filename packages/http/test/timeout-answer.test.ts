import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { propagation } from '@opentelemetry/api';
import { active, type Context } from '@curfew/context';
import { isAutomatic, useClock } from '@curfew/context/spi';
import { instrumentServer, middleware, wrapListener } from '@curfew/http';
import { DeadlinePropagator } from '@curfew/propagation';
import express from 'express';
import fastify from 'fastify';
import { closeAll, dial, Ends, event, extracted, get, listen, turn, useContextManager } from './servers';

let ends: Ends;
let undo: (() => unknown)[];
const late: unknown[] = [];
const note = (error: unknown) => late.push(error);

beforeEach(() => {
  const server = instrumentServer();
  propagation.setGlobalPropagator(new DeadlinePropagator({ plant: server.plant }));
  ends = new Ends();
  undo = [useContextManager(), ends.stop, server.undo, () => propagation.disable()];
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

const BUDGET = { headers: { 'x-request-timeout-ms': '30' } };
/** Resolves once the context has ended, be it before the handler asks. */
async function aborted(): Promise<void> {
  const signal = active().signal as AbortSignal;
  if (!signal.aborted) await once(signal, 'abort');
}
const EXPECTED = 'http.server deadline_exceeded deadline';

describe('a deadline that passes before anything was sent', () => {
  test('answers 504, though the handler never will', async () => {
    const url = await listen(extracted(() => undefined));
    const answer = await fetch(url, BUDGET);
    expect([answer.status, await answer.text()]).toEqual([504, 'context deadline exceeded\n']);
    expect(ends.list()).toEqual([EXPECTED]);
  });

  test('makes every later write do nothing, and calls back those who wait for one', async () => {
    let done: (said: unknown[]) => void;
    const handled = new Promise<unknown[]>((resolve) => (done = resolve));
    const url = await listen(
      extracted(async (_, response) => {
        await aborted();
        const said: unknown[] = [];
        response.statusCode = 200;
        response.statusMessage = 'OK';
        response.setHeader('x-late', '1').appendHeader('x-late', '2').setHeaders(new Map());
        response.removeHeader('x-late');
        response.writeHead(200, { 'x-late': '1' }).flushHeaders();
        said.push(
          response.statusCode,
          response.write('late', () => said.push('written')),
        );
        await new Promise<void>((resolve) => response.end('late', 'utf8', resolve));
        done(said);
      }),
    );
    const answer = await fetch(url, BUDGET);
    expect([answer.status, answer.headers.get('x-late')]).toEqual([504, null]);
    expect(await handled).toEqual([504, false, 'written']);
    await turn();
    expect(late).toEqual([]);
  });

  test('drops what the handler said of its own answer, and keeps what it said of the origin', async () => {
    const url = await listen(
      extracted((_, response) => {
        response.setHeader('content-type', 'application/json');
        response.setHeader('content-length', '99999');
        response.setHeader('content-encoding', 'gzip');
        response.setHeader('etag', '"x"');
        response.setHeader('access-control-allow-origin', '*');
      }),
    );
    const { headers, status } = await fetch(url, BUDGET);
    expect(status).toBe(504);
    expect(headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect([headers.get('content-encoding'), headers.get('etag')]).toEqual([null, null]);
    expect(headers.get('access-control-allow-origin')).toBe('*');
  });

  test('is not rewritten by middleware that put itself over the methods of the response', async () => {
    const url = await listen(
      extracted((_, response) => {
        response.end = () => {
          throw new Error('compressed');
        };
        response.writeHead = () => {
          throw new Error('compressed');
        };
      }),
    );
    expect((await fetch(url, BUDGET)).status).toBe(504);
  });

  test('leaves the connection fit for the next request', async () => {
    const url = await listen(
      extracted((request, response) => {
        if (request.url === '/next') response.end('fine');
      }),
    );
    const client = await dial(url);
    let text = '';
    client.on('data', (chunk) => (text += String(chunk)));
    client.write(get('/', BUDGET.headers));
    while (!text.includes('exceeded\n')) await event(client, 'data');
    client.write(get('/next'));
    while (!text.includes('fine')) await event(client, 'data');
    expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 504', 'HTTP/1.1 200']);
  });

  test('harms no stream that is piped into the answer', async () => {
    let piped: () => void;
    const done = new Promise<void>((resolve) => (piped = resolve));
    const url = await listen(
      extracted(async (_, response) => {
        await aborted();
        Readable.from(['a', 'b', 'c']).pipe(response);
        piped();
      }),
    );
    expect(await (await fetch(url, BUDGET)).text()).toBe('context deadline exceeded\n');
    await done;
    await turn();
    expect(late).toEqual([]);
  });
});

test('a deadline that had passed on arrival answers 504 at once, under a context that is done', async () => {
  let name: string | undefined;
  const url = await listen(
    extracted((_, response) => {
      name = active().err()?.name;
      response.writeHead(200).end('too late');
    }),
  );
  const answer = await fetch(url, { headers: { 'x-request-timeout-ms': '0' } });
  expect([answer.status, name]).toEqual([504, 'TimeoutError']);
  expect(await ends.count(1)).toEqual([EXPECTED]);
});

test('a deadline that passes after the headers cuts the response off, and late writes harm nobody', async () => {
  const url = await listen(
    extracted(async (_, response) => {
      response.write('begun');
      await aborted();
      response.write('more');
      response.end('end');
    }),
  );
  const answer = await fetch(url, BUDGET);
  expect(answer.status).toBe(200);
  await expect(answer.text()).rejects.toThrow('terminated');
  expect(await ends.count(1)).toEqual([EXPECTED]);
  await turn();
  expect(late).toEqual([]);
});

describe('frameworks', () => {
  test('Express 5 sees the context, and neither a late answer nor a late error breaks anything', async () => {
    const app = express();
    const finished: Promise<unknown>[] = [];
    app.get('/late', (_, response) => {
      finished.push(aborted().then(() => response.status(200).set('x-late', '1').json({ late: true })));
    });
    app.get('/throws', async () => {
      await aborted();
      active().throwIfDone();
    });
    app.get('/quick', (_, response) => response.json({ left: active().remaining() > 0 }));
    const url = await listen(extracted(app));
    for (const path of ['/late', '/throws']) {
      const answer = await fetch(url + path, BUDGET);
      expect([answer.status, answer.headers.get('x-late')]).toEqual([504, null]);
    }
    await Promise.all(finished);
    expect(
      await (await fetch(`${url}/quick`, { headers: { 'x-request-timeout-ms': '5000' } })).json(),
    ).toEqual({ left: true });
    expect(await ends.count(3)).toEqual([EXPECTED, EXPECTED, 'http.server completed caller']);
    await turn();
    expect(late).toEqual([]);
  });

  test('Fastify 5 sees the context, and neither a late answer nor a late error breaks anything', async () => {
    const app = fastify({ serverFactory: (handler) => http.createServer(extracted(handler)) });
    const over: string[] = [];
    app.addHook('onResponse', async (request, reply) => void over.push(`${request.url} ${reply.statusCode}`));
    app.get('/late', async () => {
      await aborted();
      return { late: true };
    });
    app.get('/throws', async () => {
      await aborted();
      active().throwIfDone();
    });
    app.get(
      '/send',
      (_, reply) => void aborted().then(() => reply.header('x-late', '1').send({ late: true })),
    );
    app.get('/quick', async () => ({ left: active().remaining() > 0 }));
    const url = await app.listen({ port: 0, host: '127.0.0.1' });
    try {
      for (const path of ['/late', '/throws', '/send'])
        expect((await fetch(url + path, BUDGET)).status).toBe(504);
      const quick = await fetch(`${url}/quick`, { headers: { 'x-request-timeout-ms': '5000' } });
      expect(await quick.json()).toEqual({ left: true });
      expect(await ends.count(4)).toEqual([EXPECTED, EXPECTED, EXPECTED, 'http.server completed caller']);
      await turn();
      expect(late).toEqual([]);
    } finally {
      await app.close();
    }
  });
});

test('over HTTP/2 it answers 504, and resets with CANCEL what had begun', async () => {
  const server = http2.createServer(
    wrapListener((request: http2.Http2ServerRequest, response: http2.Http2ServerResponse) => {
      if (request.url === '/begun') response.write('begun');
      else void aborted().then(() => response.setHeader('x', 'y'));
    }),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = http2.connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  try {
    const ask = (path: string) => client.request({ ':path': path, 'x-request-timeout-ms': '30' });
    const first = ask('/');
    const [headers] = (await once(first, 'response')) as [Record<string, unknown>];
    first.resume();
    expect(headers[':status']).toBe(504);
    const second = ask('/begun');
    second.resume();
    second.on('error', () => undefined);
    await once(second, 'close');
    expect(second.rstCode).toBe(http2.constants.NGHTTP2_CANCEL);
    expect(await ends.count(2)).toEqual([EXPECTED, EXPECTED]);
  } finally {
    client.close();
    server.close();
  }
});

describe('a handler that asks for the error itself, too late', () => {
  /** A clock that stands still until it is told, so that the asking is what notices the deadline. */
  function standing(): (now: number) => void {
    let now = 0;
    undo.push(
      useClock({ now: () => now, wallNow: () => now, setTimer: () => 0, clearTimer: () => undefined }),
    );
    return (to) => (now = to);
  }

  test('and answers in the same turn gets its own answer through', async () => {
    const advance = standing();
    const url = await listen(
      extracted((_, response) => {
        advance(1_000);
        response.end(JSON.stringify({ late: active().err() !== undefined }));
      }),
    );
    const answer = await fetch(url, BUDGET);
    expect([answer.status, await answer.text()]).toEqual([200, '{"late":true}']);
    expect(ends.list()).toEqual([EXPECTED]);
  });

  test('is not answered for in the middle of its own code, but as soon as that is over', async () => {
    const advance = standing();
    const said: unknown[] = [];
    const url = await listen(
      extracted((_, response) => {
        response.setHeader('x-first', '1');
        advance(1_000);
        active().err();
        said.push(response.headersSent);
        response.setHeader('x-second', '2');
        queueMicrotask(() => queueMicrotask(() => said.push(response.headersSent)));
      }),
    );
    const answer = await fetch(url, BUDGET);
    expect([answer.status, answer.headers.get('x-second'), said]).toEqual([504, '2', [false, true]]);
  });
});

describe('the 504', () => {
  const raw = async (url: string, request: string, until: (text: string) => boolean) => {
    const client = await dial(url);
    let text = '';
    client.on('data', (chunk) => (text += String(chunk)));
    client.write(request);
    while (!until(text)) await Promise.race([event(client, 'data'), event(client, 'end')]);
    return text;
  };
  const head = 'x-request-timeout-ms: 30\r\n';

  test('to HEAD has no body, also where a server refuses to write one', async () => {
    const server = http.createServer(
      { rejectNonStandardBodyWrites: true },
      extracted(() => undefined),
    );
    const text = await raw(await listen(server), `HEAD / HTTP/1.1\r\nHost: t\r\n${head}\r\n`, (said) =>
      said.endsWith('\r\n\r\n'),
    );
    expect(text).toMatch(/^HTTP\/1\.1 504 Gateway Timeout\r\n/);
    expect(text).toContain('content-length: 26\r\n');
  });

  test('to HTTP/1.0 closes the connection after it', async () => {
    const url = await listen(extracted(() => undefined));
    const client = await dial(url);
    client.write(`GET / HTTP/1.0\r\n${head}\r\n`);
    let text = '';
    client.on('data', (chunk) => (text += String(chunk)));
    await event(client, 'end');
    expect(text).toMatch(/^HTTP\/1\.1 504 [^]*exceeded\n$/);
  });

  test('to a body that nobody has read leaves the connection fit for the next request', async () => {
    const url = await listen(
      extracted((request, response) => request.url === '/next' && response.end('fine')),
    );
    const text = await raw(
      url,
      `POST / HTTP/1.1\r\nHost: t\r\n${head}Content-Length: 5\r\n\r\nhello${get('/next')}`,
      (said) => said.includes('fine'),
    );
    expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 504', 'HTTP/1.1 200']);
  });

  test('to pipelined requests comes in their order, also where the later one was due first', async () => {
    let first: http.ServerResponse | undefined;
    const url = await listen(
      extracted((request, response) => {
        if (request.url === '/first') first = response;
        else if (request.url === '/third') response.end('third');
        if (request.url === '/second') {
          void aborted().then(() => {
            response.setHeader('x-late', '1');
            first?.end('first');
          });
        }
      }),
    );
    const text = await raw(url, get('/first') + get('/second', BUDGET.headers) + get('/third'), (said) =>
      said.includes('third'),
    );
    expect(text.match(/HTTP\/1\.1 \d+|first|exceeded|third/g)).toEqual([
      'HTTP/1.1 200',
      'first',
      'HTTP/1.1 504',
      'exceeded',
      'HTTP/1.1 200',
      'third',
    ]);
  });

  test('is what everybody sees who listens to the response, once, when it goes out', async () => {
    const said: string[] = [];
    const url = await listen(
      extracted((_, response) => {
        for (const name of ['finish', 'close']) {
          response.on(name, () => said.push(`${name} ${response.statusCode} ${response.headersSent}`));
        }
        void aborted().then(() => {
          response.writeHead(200);
          response.end('late');
        });
      }),
    );
    expect((await fetch(url, BUDGET)).status).toBe(504);
    await turn();
    expect(said).toEqual(['finish 504 true', 'close 504 true']);
  });
});

describe('a stream into an answer that is cut off at the deadline', () => {
  async function* endless(): AsyncGenerator<string> {
    for (;;) {
      yield 'some';
      await turn();
    }
  }

  test.each<[string, (response: http.ServerResponse) => Promise<void>]>([
    ['a generator', (response) => pipeline(endless(), response)],
    ['a stream', (response) => pipeline(Readable.from(endless()), response)],
    [
      'a web stream',
      (response) =>
        (Readable.toWeb(Readable.from(endless())) as ReadableStream).pipeTo(Writable.toWeb(response)),
    ],
  ])('fails with an error of ours, which says why and can be told: %s', async (_, stream) => {
    let failed: (error: unknown) => void;
    const failure = new Promise((resolve) => (failed = resolve));
    let ctx: Context | undefined;
    const url = await listen(
      extracted((_, response) => {
        ctx = active();
        stream(response).catch(failed);
      }),
    );
    const answer = await fetch(url, BUDGET);
    await expect(answer.text()).rejects.toThrow('terminated');
    const error = (await failure) as Error;
    expect([error.name, isAutomatic(error), error.cause === ctx?.err()]).toEqual([
      'TimeoutError',
      true,
      true,
    ]);
  });
});

test('over HTTP/2 the 504 is not rewritten by middleware that put itself over write', async () => {
  const server = http2.createServer(
    wrapListener(
      (_: http2.Http2ServerRequest, response: http2.Http2ServerResponse) => {
        const { write } = response;
        response.write = function (this: http2.Http2ServerResponse, chunk: unknown) {
          return Reflect.apply(write, this, [`longer than it was: ${String(chunk)}`]) as boolean;
        };
      },
      { timeout: 20 },
    ),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = http2.connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const stream = client.request({ ':path': '/' });
  let text = '';
  stream.on('data', (chunk) => (text += String(chunk)));
  await once(stream, 'close');
  client.close();
  server.close();
  expect([stream.rstCode, text]).toEqual([0, 'context deadline exceeded\n']);
});

test('a limit of the program itself cuts off what had begun, though no automatic form is in force', async () => {
  undo.splice(2, 1)[0]?.();
  const app = express();
  app.use(middleware({ timeout: 20 }));
  app.get('/', (_, response) => void response.write('begun'));
  const answer = await fetch(await listen(app));
  await expect(answer.text()).rejects.toThrow('terminated');
});
