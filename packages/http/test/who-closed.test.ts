import { once } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import http2, { type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { beginShutdown, wrapListener } from '@curfew/http';

import { closeAll, dial, Ends, get, listen, useContextManager } from './servers';

// The same unfinished response, closed by either side, in every way there is.

let ends: Ends;
let undo: (() => unknown)[];

beforeEach(() => {
  ends = new Ends();
  undo = [useContextManager(), ends.stop];
});
afterEach(async () => {
  await closeAll();
  for (const each of undo.reverse()) each();
});

const PEER = 'http.server canceled client_disconnect';
const HERE = 'http.server canceled caller';

function causeOf(index: number): unknown {
  return (ends.all[index]?.ending.cause as Error).message;
}

describe('over HTTP/1', () => {
  type Here = (request: IncomingMessage, response: ServerResponse, server: http.Server) => void;

  async function close(sent: string, client: (socket: Socket) => void, here: Here): Promise<string> {
    const server = http.createServer();
    let arrived: (value: [IncomingMessage, ServerResponse]) => void;
    const arrival = new Promise<[IncomingMessage, ServerResponse]>((resolve) => (arrived = resolve));
    server.on(
      'request',
      wrapListener((request: IncomingMessage, response: ServerResponse) => {
        request.on('error', () => undefined);
        response.on('error', () => undefined);
        arrived([request, response]);
      }),
    );
    const socket = await dial(await listen(server));
    socket.resume();
    socket.write(sent);
    const [request, response] = await arrival;
    client(socket);
    here(request, response, server);
    return (await ends.count(1))[0] as string;
  }

  const nothing = () => undefined;
  const UNREAD = 'POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 50\r\n\r\nhalf';

  test.each<[string, string, (socket: Socket) => void]>([
    ['a FIN', get('/'), (socket) => void socket.end()],
    ['a destroyed socket', get('/'), (socket) => void socket.destroy()],
    ['an RST', get('/'), (socket) => void socket.resetAndDestroy()],
    ['a FIN in the middle of its body', UNREAD, (socket) => void socket.end()],
    ['an RST in the middle of its body', UNREAD, (socket) => void socket.resetAndDestroy()],
  ])('the client closed, by %s', async (_, sent, client) => {
    expect(await close(sent, client, nothing)).toBe(PEER);
    expect(causeOf(0)).toBe('client disconnected');
  });

  test.each<[string, Here]>([
    ['response.destroy()', (_, response) => void response.destroy()],
    ['request.destroy()', (request) => void request.destroy()],
    ['socket.destroy()', (request) => void request.socket.destroy()],
    ['socket.resetAndDestroy()', (request) => void request.socket.resetAndDestroy()],
    ['a time-out of the socket', (request) => void request.socket.setTimeout(1)],
    ['closeAllConnections()', (_, __, server) => server.closeAllConnections()],
  ])('this side closed, by %s', async (_, here) => {
    expect(await close(get('/'), nothing, here)).toBe(HERE);
    expect(causeOf(0)).toBe('connection closed by the server');
  });

  test('what an upstream failed with is this side’s too, though it looks like a reset', async () => {
    const reset = Object.assign(new Error('upstream'), { code: 'ECONNRESET' });
    expect(await close(get('/'), nothing, (_, response) => void response.destroy(reset))).toBe(HERE);
    expect(causeOf(0)).toBe('upstream');
  });
});

describe('over HTTP/2', () => {
  type Handler = (request: Http2ServerRequest, response: Http2ServerResponse) => void;
  type Client = (stream: http2.ClientHttp2Stream, session: http2.ClientHttp2Session, socket: Socket) => void;

  async function close(client: Client, here: Handler): Promise<string> {
    let arrived: (value: [Http2ServerRequest, Http2ServerResponse]) => void;
    const arrival = new Promise<[Http2ServerRequest, Http2ServerResponse]>((resolve) => (arrived = resolve));
    const server = http2.createServer(
      wrapListener((request: Http2ServerRequest, response: Http2ServerResponse) => {
        request.on('error', () => undefined);
        arrived([request, response]);
      }),
    );
    server.on('sessionError', () => undefined);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const socket = await dial(url);
    const session = http2.connect(url, { createConnection: () => socket });
    session.on('error', () => undefined);
    const stream = session.request({ ':path': '/' });
    stream.on('error', () => undefined);
    const [request, response] = await arrival;
    client(stream, session, socket);
    here(request, response);
    const [outcome] = await ends.count(1);
    session.destroy();
    server.close();
    return outcome as string;
  }

  const nothing = () => undefined;

  test.each<[string, Client]>([
    ['a reset with CANCEL', (stream) => stream.close(http2.constants.NGHTTP2_CANCEL)],
    ['a reset with NO_ERROR', (stream) => stream.close()],
    ['a reset with an error', (stream) => void stream.destroy(new Error('gave up'))],
    ['a session that it destroyed', (_, session) => session.destroy()],
    ['a GOAWAY with an error', (_, session) => session.goaway(http2.constants.NGHTTP2_INTERNAL_ERROR)],
    ['a destroyed socket', (_, __, socket) => void socket.destroy()],
    ['an RST', (_, __, socket) => void socket.resetAndDestroy()],
  ])('the client closed, by %s', async (_, client) => {
    expect(await close(client, nothing)).toBe(PEER);
  });

  test.each<[string, Handler]>([
    ['response.destroy()', (_, response) => response.stream.destroy()],
    ['an error', (_, response) => response.stream.destroy(new Error('disk full'))],
    ['a session that it destroyed', (_, response) => response.stream.session?.destroy()],
  ])('this side closed, by %s', async (how, here) => {
    expect(await close(nothing, here)).toBe(HERE);
    expect(causeOf(0)).toBe(how === 'an error' ? 'disk full' : 'connection closed by the server');
  });
});

test('a process that is going down closed it as its shutdown; a client that leaves meanwhile has left', async () => {
  const slots = globalThis as unknown as Record<symbol, { begun: boolean }>;
  undo.push(() => ((slots[Symbol.for('@curfew/http.shutdown.v1')] as { begun: boolean }).begun = false));
  const server = http.createServer();
  let pending = 0;
  let all: () => void;
  const both = new Promise<void>((resolve) => (all = resolve));
  server.on(
    'request',
    wrapListener(() => {
      if (++pending === 2) all();
    }),
  );
  const url = await listen(server);
  const [stays, leaves] = [await dial(url), await dial(url)];
  for (const each of [stays, leaves]) each.write(get('/'));
  await both;
  beginShutdown();
  leaves.destroy();
  await ends.count(1);
  server.closeAllConnections();
  expect(await ends.count(2)).toEqual([PEER, 'http.server canceled shutdown']);
});

test('whoever closed, the end is one that the kill switch holds back', async () => {
  const url = await listen(wrapListener((_, response) => void response.destroy()));
  await fetch(url).catch(() => undefined);
  await ends.count(1);
  expect(ends.all[0]?.ending.automatic).toBe(true);
});
