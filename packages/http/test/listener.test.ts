import { once } from 'node:events';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { propagation } from '@opentelemetry/api';
import { active, type Context } from '@curfew/context';
import { subscribe } from '@curfew/context/spi';
import { instrumentServer, middleware, requestContext, wrapListener, wrapUpgrade } from '@curfew/http';
import { DeadlinePropagator } from '@curfew/propagation';
import express from 'express';
import http from 'node:http';
import { closeAll, dial, Ends, event, extracted, get, listen, turn, useContextManager } from './servers';

let ends: Ends;
let undo: (() => unknown)[];
let refused: string[];
let received: string[];

beforeEach(() => {
  refused = [];
  received = [];
  ends = new Ends({
    callRefused: ({ source }) => void refused.push(source),
    deadlineReceived: ({ outcome }) => void received.push(outcome),
  });
  undo = [useContextManager(), ends.stop];
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

describe('wrapListener', () => {
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
  test.each([
    ['the peer went away', 'canceled client_disconnect'],
    ['this side ended it', 'completed caller'],
  ])('ends the context with the connection: %s', async (how, outcome) => {
    const server = http.createServer();
    server.on(
      'upgrade',
      wrapUpgrade((_, socket: import('node:stream').Duplex) => {
        expect(active().remaining()).toBe(Infinity);
        socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n');
        socket.on('data', () => socket.end());
        socket.on('error', () => undefined);
      }),
    );
    const client = await dial(await listen(server));
    client.write(get('/', { connection: 'upgrade', upgrade: 'test', 'x-request-timeout-ms': '5' }));
    await event(client, 'data');
    if (how === 'this side ended it') client.end('bye');
    else client.resetAndDestroy();
    expect(await ends.count(1)).toEqual([`http.server ${outcome}`]);
  });
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
