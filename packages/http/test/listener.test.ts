import { once } from 'node:events';
import http2 from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { context, propagation, ROOT_CONTEXT, type Context as OtelContext } from '@opentelemetry/api';
import { active, background, run, withTimeout, withValue, type Context } from '@curfew/context';
import { nodeOf, setEnforcement, subscribe } from '@curfew/context/spi';
import { instrumentServer, middleware, requestContext, wrapListener, wrapUpgrade } from '@curfew/http';
import { DeadlinePropagator, deadlineReceived } from '@curfew/propagation';
import express from 'express';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import { closeAll, dial, Ends, event, extracted, get, listen, turn, useContextManager } from './servers';

const BOOT = Symbol('test.boot');

let ends: Ends;
let undo: (() => unknown)[];
let refused: string[];
let received: string[];

beforeEach(() => {
  refused = [];
  received = [];
  ends = new Ends({
    callRefused: ({ source }) => void refused.push(source),
  });
  undo = [
    useContextManager(),
    ends.stop,
    deadlineReceived.listen(({ outcome }) => void received.push(outcome)),
  ];
});
afterEach(async () => {
  await closeAll();
  for (const each of undo.reverse()) each();
});

describe('middleware', () => {
  test('refuses a spent budget before any work, counted, without a context', async () => {
    let worked = false;
    const app = express();
    app.use(middleware());
    app.use((_, response) => {
      worked = true;
      response.end();
    });
    const url = await listen(app);
    const answer = await fetch(url, { headers: { 'x-request-timeout-ms': '0' } });
    expect([answer.status, worked, refused, received]).toEqual([504, false, ['http.server'], ['ok']]);
    expect(ends.list()).toEqual([]);
  });

  test('keeps the context through a body parser', async () => {
    const app = express();
    app.use(middleware({ timeout: 60_000 }));
    app.use(express.json());
    app.post('/', (request, response) =>
      response.json({ same: requestContext(request)?.signal === active().signal }),
    );
    const url = await listen(app);
    const client = await dial(url);
    client.write('POST / HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n');
    await turn();
    client.write('{"a":1}');
    const [chunk] = await event(client, 'data');
    expect(String(chunk)).toContain('{"same":true}');
    expect(await ends.count(1)).toEqual(['http.server completed caller']);
  });

  test('leaves the context that the request has already', async () => {
    const server = instrumentServer();
    propagation.setGlobalPropagator(new DeadlinePropagator({ plant: server.plant }));
    undo.push(server.undo, () => propagation.disable());
    const app = express();
    app.use(middleware());
    app.use((_, response) => response.end());
    await (await fetch(await listen(extracted(app)))).text();
    expect(await ends.count(1)).toEqual(['http.server completed caller']);
    expect(received).toEqual(['none']);
  });

  test('counts an arrival once where the propagator has counted it without planting', async () => {
    propagation.setGlobalPropagator(new DeadlinePropagator());
    undo.push(() => propagation.disable());
    const app = express();
    let left = 0;
    app.use(middleware());
    app.use((_, response) => {
      left = active().remaining();
      response.end();
    });
    await (
      await fetch(await listen(extracted(app)), { headers: { 'x-request-timeout-ms': '60000' } })
    ).text();
    expect([left > 0 && left <= 60_000, received]).toEqual([true, ['ok']]);
  });
});

describe('a request that has its context already', () => {
  const KEY = Symbol('test.key');
  /** Reaches middleware for a second time, under the context that `between` puts in the place of the request's. */
  async function twice(between: (request: OtelContext) => OtelContext): Promise<[unknown, unknown]> {
    let first: Context | undefined;
    let second: Context | undefined;
    const inner = middleware();
    const url = await listen(
      wrapListener((request, response) => {
        first = active();
        context.with(between(first), () => inner(request, response, () => (second = active())));
        response.end();
      }),
    );
    await (await fetch(url)).text();
    return [second !== undefined && nodeOf(second) === nodeOf(first as Context), second?.getValue(KEY)];
  }

  test('gets it back where a framework has lost it on the way', async () => {
    expect(await twice(() => ROOT_CONTEXT)).toEqual([true, undefined]);
  });

  test('keeps what was put over it on the way: a span of a middleware, a value', async () => {
    expect(await twice((request) => request.setValue(KEY, 7))).toEqual([true, 7]);
  });
});

describe('wrapListener', () => {
  test('gives a request a life of its own where its server was started under a live context', async () => {
    const breaks: unknown[] = [];
    undo.push(subscribe({ chainBroken: (event) => void breaks.push(event) }));
    const [boot, cancel] = withTimeout(withValue(background(), BOOT, 'kept'), 60_000, { name: 'boot' });
    let seen: unknown[] = [];
    const listener = wrapListener((_, response: ServerResponse) => {
      const ctx = active();
      const remaining = ctx.remaining();
      cancel(new Error('booted'));
      seen = [remaining, ctx.err(), ctx.getValue(BOOT)];
      response.end();
    });
    // As the sockets of a server do that was told to listen there.
    const url = await listen((request, response) => run(boot, () => listener(request, response)));
    await (await fetch(url)).text();
    expect([...seen, breaks]).toEqual([Infinity, undefined, 'kept', []]);
  });

  test('works without a ContextManager: the request knows its context', async () => {
    undo.shift()?.();
    let found: Context | undefined;
    const url = await listen(
      wrapListener(
        (request, response) => {
          found = requestContext(request);
          response.end();
        },
        { timeout: 5_000 },
      ),
    );
    await (await fetch(url)).text();
    expect(found?.deadline()).toBeUndefined();
    expect(await ends.count(1)).toEqual(['http.server completed caller']);
  });

  test.each(['finish', 'cancel', 'vanish'])('ends the context of an HTTP/2 request on %s', async (how) => {
    const arrived: Context[] = [];
    const server = http2.createServer(
      wrapListener((_: http2.Http2ServerRequest, response: http2.Http2ServerResponse) => {
        arrived.push(active());
        if (how === 'finish') response.end('ok');
        else response.write('begun');
      }),
    );
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const socket = await dial(url);
    const client = http2.connect(url, { createConnection: () => socket });
    client.on('error', () => undefined);
    try {
      const stream = client.request({ ':path': '/' });
      stream.on('error', () => undefined);
      await once(stream, 'response');
      if (how === 'cancel') stream.close(http2.constants.NGHTTP2_CANCEL);
      else if (how === 'vanish') socket.destroy();
      else stream.resume();
      const outcome = how === 'finish' ? 'completed caller' : 'canceled client_disconnect';
      expect(await ends.count(1)).toEqual([`http.server ${outcome}`]);
      expect(arrived[0]?.err() === undefined).toBe(how === 'finish');
    } finally {
      client.destroy();
      server.close();
    }
  });
});

describe('wrapUpgrade', () => {
  type Close = (client: Socket, server: Duplex) => unknown;

  test.each<[string, string, Close]>([
    ['the peer reset it', 'canceled client_disconnect', (client) => client.resetAndDestroy()],
    ['the peer destroyed it', 'canceled client_disconnect', (client) => client.destroy()],
    ['the peer ended it, and this side answers that', 'canceled client_disconnect', (client) => client.end()],
    ['this side ended it', 'completed caller', (_, server) => server.end()],
    ['this side destroyed it', 'canceled caller', (_, server) => server.destroy()],
  ])('ends the context with the connection: %s', async (_, outcome, close) => {
    const server = http.createServer();
    let upgraded: (socket: Duplex) => void;
    const upgrade = new Promise<Duplex>((resolve) => (upgraded = resolve));
    server.on(
      'upgrade',
      wrapUpgrade((_, socket: Duplex) => {
        expect(active().remaining()).toBe(Infinity);
        socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n');
        socket.resume();
        socket.on('end', () => socket.end());
        socket.on('error', () => undefined);
        upgraded(socket);
      }),
    );
    const client = await dial(await listen(server));
    client.write(get('/', { connection: 'upgrade', upgrade: 'test', 'x-request-timeout-ms': '5' }));
    client.on('data', () => undefined);
    close(client, await upgrade);
    expect(await ends.count(1)).toEqual([`http.server ${outcome}`]);
  });

  test('ends nothing in observe mode, and tells what it would have ended', async () => {
    undo.push(setEnforcement(false));
    const observed: string[] = [];
    undo.push(subscribe({ cancellationObserved: ({ origin }) => void observed.push(origin) }));
    const server = http.createServer();
    let ctx: Context | undefined;
    server.on(
      'upgrade',
      wrapUpgrade((request, socket: Duplex) => {
        ctx = active();
        if (request.url === '/ended') socket.end();
        socket.resume();
        socket.on('end', () => socket.end());
        socket.on('error', () => undefined);
      }),
    );
    const url = await listen(server);
    for (const [index, path] of ['/ended', '/left'].entries()) {
      const client = await dial(url);
      client.resume();
      client.write(get(path, { connection: 'upgrade', upgrade: 'test' }));
      await event(server, 'upgrade');
      if (path === '/left') client.destroy();
      await ends.count(index + 1);
      expect(ctx?.err()).toBeUndefined();
    }
    expect(ends.list()).toEqual(['http.server completed caller', 'http.server completed caller']);
    expect(observed).toEqual(['client_disconnect']);
  });
});

describe('in observe mode', () => {
  test.each(['0', '1'])(
    'a budget of %s ms limits nothing and is shown to nobody: the handler runs, its answer arrives, and it is told',
    async (budget) => {
      undo.push(setEnforcement(false));
      const observed: string[] = [];
      undo.push(
        subscribe({
          cancellationObserved: ({ reason, origin }) => void observed.push(`${reason} ${origin}`),
        }),
      );
      let seen: unknown[] = [];
      const app = express();
      app.use(middleware({ timeout: 2 }));
      app.get('/', async (_, response) => {
        const ctx = active();
        seen = [ctx.remaining(), ctx.deadline()];
        // Past the deadline by the clock, whatever the machine is doing.
        await new Promise((resolve) => setTimeout(resolve, 20));
        seen.push(ctx.err());
        response.send('as ever');
      });
      const answer = await fetch(await listen(app), { headers: { 'x-request-timeout-ms': budget } });
      expect([answer.status, await answer.text()]).toEqual([200, 'as ever']);
      expect(seen).toEqual([Infinity, undefined, undefined]);
      expect([refused, observed]).toEqual([[], ['deadline_exceeded deadline']]);
    },
  );

  test('a client that hangs up ends nothing, and endOnFinish aborts nothing', async () => {
    undo.push(setEnforcement(false));
    const signals: (AbortSignal | undefined)[] = [];
    const url = await listen(
      wrapListener(
        (request, response) => {
          signals.push(active().signal);
          if (request.url === '/finish') response.end();
        },
        { endOnFinish: 'cancel' },
      ),
    );
    await fetch(`${url}/finish`);
    const client = await dial(url);
    client.write(get('/'));
    await ends.count(1);
    while (signals.length < 2) await turn();
    client.destroy();
    expect(await ends.count(2)).toEqual(['http.server completed caller', 'http.server completed caller']);
    expect(signals.map((signal) => signal?.aborted)).toEqual([false, false]);
  });
});

describe('middleware that is reached late', () => {
  test('ends the context before those hear of the close who listened earlier, as what ends a SERVER span does', async () => {
    const under = middleware();
    let ctx: Context | undefined;
    let heard: (name: string | undefined) => void;
    const atClose = new Promise<string | undefined>((resolve) => (heard = resolve));
    let arrived: () => void;
    const reached = new Promise<void>((resolve) => (arrived = resolve));
    const url = await listen((request, response) => {
      response.on('close', () => heard(ctx?.err()?.name));
      under(request, response, () => (ctx = active()));
      arrived();
    });
    const client = await dial(url);
    client.write(get('/'));
    await reached;
    client.destroy();
    expect(await atClose).toBe('AbortError');
  });

  test.each(['HTTP/1', 'HTTP/2'])(
    'ends the context of a client that has left by then, over %s',
    async (protocol) => {
      const under = middleware();
      let ctx: Context | undefined;
      const late = (request: IncomingMessage, response: ServerResponse) =>
        void once(response, 'close').then(() => under(request, response, () => (ctx = active())));
      const server = protocol === 'HTTP/1' ? http.createServer(late) : http2.createServer(late as never);
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const client = await dial(url);
      if (protocol === 'HTTP/1') client.write(get('/'));
      else {
        const session = http2.connect(url, { createConnection: () => client });
        session.on('error', () => undefined);
        session.request({ ':path': '/' }).on('error', () => undefined);
      }
      await once(server, 'request');
      client.destroy();
      expect(await ends.count(1)).toEqual(['http.server canceled client_disconnect']);
      expect(ctx?.err()?.name).toBe('AbortError');
      server.close();
    },
  );

  test('ends that of a pipelined request too, whose response never had a connection', async () => {
    const under = middleware();
    let gone: () => void;
    const left = new Promise<void>((resolve) => (gone = resolve));
    let arrived = 0;
    const server = http.createServer((request, response) => {
      arrived++;
      void left.then(() => request.url === '/second' && under(request, response, () => undefined));
    });
    let connection: Socket | undefined;
    server.on('connection', (socket) => (connection = socket));
    const client = await dial(await listen(server));
    client.write(get('/first') + get('/second'));
    while (arrived < 2) await turn();
    const closed = once(connection as Socket, 'close');
    client.destroy();
    await closed;
    gone!();
    expect(await ends.count(1)).toEqual(['http.server canceled client_disconnect']);
  });
});

describe('what is bad', () => {
  test.each([
    [{ timeout: Number(undefined) }, RangeError, 'options.timeout must be 0 or more milliseconds, got NaN'],
    [{ timeout: -1 }, RangeError, 'options.timeout must be 0 or more milliseconds, got -1'],
    [{ timeout: '30' }, TypeError, 'options.timeout must be a number of milliseconds, got "30"'],
    [{ endOnFinish: 'abort' }, TypeError, `options.endOnFinish must be 'retire' or 'cancel', got "abort"`],
    [null, TypeError, 'options must be an options object, got null'],
    [30, TypeError, 'options must be an options object, got 30'],
  ])(
    'of the options is refused where it is given, not at the first request: %j',
    (options, kind, message) => {
      const bad = options as never;
      for (const give of [
        () => middleware(bad),
        () => wrapListener(() => undefined, bad),
        () => instrumentServer(bad),
      ]) {
        expect(give).toThrow(new kind(message));
        expect(give).toThrow(kind);
      }
    },
  );

  test.each([
    [{ maxTimeout: NaN }, RangeError, 'options.maxTimeout must be 0 or more milliseconds, got NaN'],
    [{ maxTimeout: '60' }, TypeError, 'options.maxTimeout must be a number of milliseconds, got "60"'],
    [
      { headers: 'x-timeout' },
      TypeError,
      'options.headers must be an array of header names, got "x-timeout"',
    ],
  ])('of how deadlines are read, too, by whoever reads them: %j', (options, kind, message) => {
    const bad = options as never;
    for (const give of [() => middleware(bad), () => wrapListener(() => undefined, bad)]) {
      expect(give).toThrow(new kind(message));
      expect(give).toThrow(kind);
    }
  });

  test('of the functions is refused before anything is set up with it', () => {
    const no = 'no function' as never;
    expect(() => wrapListener(no)).toThrow(new TypeError('listener must be a function, got "no function"'));
    expect(() => wrapUpgrade(no)).toThrow(new TypeError('listener must be a function, got "no function"'));
    expect(() => instrumentServer({ ignore: no })).toThrow(
      new TypeError('options.ignore must be a function, got "no function"'),
    );
  });
});

test('a listener of another event is called as it would be without us, and without a context', async () => {
  const server = http2.createServer();
  let seen: unknown[] = [];
  server.on(
    'stream',
    wrapListener(function (this: unknown, ...args: unknown[]) {
      const [stream, headers, flags] = args as [http2.ServerHttp2Stream, Record<string, unknown>, number];
      seen = [this === server, headers[':path'], typeof flags, nodeOf(active())];
      stream.respond({ ':status': 204 }, { endStream: true });
    }) as never,
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = http2.connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const [headers] = (await once(client.request({ ':path': '/plain' }), 'response')) as [
    Record<string, number>,
  ];
  client.close();
  server.close();
  expect([headers[':status'], ...seen]).toEqual([204, true, '/plain', 'number', undefined]);
});

test('a listener of the hooks that throws is nobody’s trouble', async () => {
  undo.push(
    subscribe({
      callRefused: () => {
        throw new Error('telemetry');
      },
    }),
  );
  const url = await listen(wrapListener((_, response) => response.end()));
  expect((await fetch(url, { headers: { 'x-request-timeout-ms': '0' } })).status).toBe(504);
});
