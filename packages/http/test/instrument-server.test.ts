import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { propagation, ROOT_CONTEXT, type Context as OtelContext } from '@opentelemetry/api';
import { CompositePropagator } from '@opentelemetry/core';
import { active, onEnd, scope, withCancel, background, run, type Context } from '@curfew/context';
import { isAutomatic, nodeOf, setEnforcement, subscribe, useClock } from '@curfew/context/spi';
import { instrumentServer, requestContext, type InstrumentServerOptions } from '@curfew/http';
import {
  DeadlinePropagator,
  deadlineReceived,
  RESPONSE_KEY,
  type ReceivedDeadline,
} from '@curfew/propagation';
import { closeAll, dial, Ends, event, extracted, get, listen, turn, useContextManager } from './servers';

let ends: Ends;
let undo: (() => unknown)[];
let received: ReceivedDeadline[];

function setUp(options?: InstrumentServerOptions, maxTimeout?: number): void {
  const server = instrumentServer(options);
  propagation.setGlobalPropagator(
    new DeadlinePropagator({ plant: server.plant, ...(maxTimeout !== undefined && { maxTimeout }) }),
  );
  undo.push(server.undo, () => propagation.disable());
}

beforeEach(() => {
  received = [];
  ends = new Ends();
  const deaf = deadlineReceived.listen(({ ctx: _, ...event }) => void received.push(event));
  undo = [useContextManager(), () => [deaf, ends.stop].forEach((stop) => stop())];
});
afterEach(async () => {
  await closeAll();
  for (const each of undo.reverse()) each();
});

/** A server whose handler only notes the context; resolves for the first request. */
async function pending(
  handle: (request: IncomingMessage, response: ServerResponse) => void = () => undefined,
) {
  let arrived: (ctx: Context) => void;
  const ctx = new Promise<Context>((resolve) => (arrived = resolve));
  const url = await listen(
    extracted((request, response) => {
      handle(request, response);
      arrived(active());
    }),
  );
  return { url, ctx };
}

describe('a request of which the body has been read', () => {
  test('goes on: only the close of the response says that the client has left', async () => {
    setUp();
    const said: string[] = [];
    let read: () => void;
    const body = new Promise<void>((resolve) => (read = resolve));
    const { url, ctx } = await pending((request) => {
      request.resume();
      request.on('close', () => {
        said.push('request closed');
        read();
      });
    });
    const client = await dial(url);
    client.write('POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\nhi');
    const request = await ctx;
    onEnd(request, () => said.push('context ended'));
    await body;
    await turn();
    expect(request.err()).toBeUndefined();
    client.destroy();
    await ends.count(1);
    expect(said).toEqual(['request closed', 'context ended']);
  });
});

describe('a client that hangs up', () => {
  test('ends the context once, as client_disconnect, and says whether the response had started', async () => {
    setUp();
    for (const started of [false, true]) {
      const { url, ctx } = await pending((_, response) => started && response.write('some'));
      const client = await dial(url);
      client.write(get('/'));
      const request = await ctx;
      if (started) await event(client, 'data');
      client.destroy();
      await ends.count(started ? 2 : 1);
      expect(request.err()?.name).toBe('AbortError');
      expect(request.cause()).toMatchObject({ message: 'client disconnected', responseStarted: started });
    }
    expect(ends.list()).toEqual([
      'http.server canceled client_disconnect',
      'http.server canceled client_disconnect',
    ]);
  });

  test('in the middle of the last write ends it too, though Node then emits finish', async () => {
    setUp();
    const { url } = await pending((_, response) => response.end(Buffer.alloc(50_000_000)));
    const client = await dial(url);
    client.write(get('/'));
    await event(client, 'data');
    client.destroy();
    expect(await ends.count(1)).toEqual(['http.server canceled client_disconnect']);
  });

  test('ends the contexts of pipelined requests that still wait for their turn', async () => {
    setUp();
    let served = 0;
    let all: () => void;
    const three = new Promise<void>((resolve) => (all = resolve));
    const url = await listen(extracted(() => ++served === 3 && all()));
    const client = await dial(url);
    client.write(get('/1') + get('/2') + get('/3'));
    await three;
    client.destroy();
    expect(await ends.count(3)).toEqual(Array(3).fill('http.server canceled client_disconnect'));
  });

  test('closes the responses of requests whose turn never came, once, so that who waits for that goes on', async () => {
    setUp();
    const closed: string[] = [];
    let served = 0;
    let all: () => void;
    const three = new Promise<void>((resolve) => (all = resolve));
    const url = await listen(
      extracted((request, response) => {
        response.on('close', () => closed.push(`${request.url} ${response.closed} ${response.destroyed}`));
        if (++served === 3) all();
      }),
    );
    const client = await dial(url);
    client.write(get('/1') + get('/2') + get('/3'));
    await three;
    client.destroy();
    await ends.count(3);
    for (let i = 0; i < 3; i++) await turn();
    expect(closed.sort()).toEqual(['/1 true true', '/2 true true', '/3 true true']);
  });

  test('fails who streams into a response whose turn never came with an error that can be told as ours', async () => {
    if (Number(process.versions.node.split('.')[0]) >= 24) return; // There Node itself closes it, and fails them.
    setUp();
    let failed: (error: unknown) => void;
    const failure = new Promise((resolve) => (failed = resolve));
    let queued: () => void;
    const arrived = new Promise<void>((resolve) => (queued = resolve));
    const url = await listen(
      extracted((request, response) => {
        if (request.url === '/1') return;
        pipeline(new Readable({ read: () => undefined }), response).catch(failed);
        queued();
      }),
    );
    const client = await dial(url);
    client.write(get('/1') + get('/2'));
    await arrived;
    client.destroy();
    expect(isAutomatic(await failure)).toBe(true);
  });

  test('near its own deadline has met it: the reason is the deadline', async () => {
    let now = 0;
    undo.push(
      useClock({ now: () => now, wallNow: () => now, setTimer: () => 0, clearTimer: () => undefined }),
    );
    setUp({ timeout: 10_000 });
    // Budget, moment of the close, and what that makes it: max(20 ms, 10 %) of the client's budget.
    const cases: [string, number, string][] = [
      ['1000', 899, 'http.server canceled client_disconnect'],
      ['1000', 901, 'http.server deadline_exceeded remote_deadline'],
      ['100', 79, 'http.server canceled client_disconnect'],
      ['100', 81, 'http.server deadline_exceeded remote_deadline'],
      ['100', 101, 'http.server deadline_exceeded deadline'],
      // Our own limit is nearer here: that the client left has nothing to do with it.
      ['60000', 9_990, 'http.server canceled client_disconnect'],
    ];
    for (const [i, [budget, at]] of cases.entries()) {
      now = 0;
      const { url, ctx } = await pending();
      const client = await dial(url);
      client.write(get('/', { 'x-request-timeout-ms': budget }));
      await ctx;
      now = at;
      client.destroy();
      await ends.count(i + 1);
    }
    expect(ends.list()).toEqual(cases.map(([, , outcome]) => outcome));
  });
});

describe('a response that the server itself destroys with an error', () => {
  test('ends the context by that error, as the caller: the client had no part in it', async () => {
    setUp();
    const failure = new Error('disk full');
    const { url, ctx } = await pending((_, response) => {
      response.writeHead(200);
      response.write('half');
      response.on('error', () => undefined);
      response.destroy(failure);
    });
    const client = await dial(url);
    client.on('error', () => undefined);
    client.write('GET / HTTP/1.1\r\nHost: test\r\n\r\n');
    const request = await ctx;
    await ends.count(1);
    expect([request.cause(), nodeOf(request)?.ending?.origin]).toEqual([failure, 'caller']);
  });
});

describe('a response that finishes', () => {
  test('retires the context: its signal never aborts, and work after it goes on', async () => {
    setUp();
    let request: Context | undefined;
    const url = await listen(
      extracted((_, response) => {
        request = active();
        void request.signal;
        response.end('ok');
      }),
    );
    await (await fetch(url)).text();
    expect(await ends.count(1)).toEqual(['http.server completed caller']);
    expect(request?.err()).toBeUndefined();
    expect(request?.signal?.aborted).toBe(false);
  });

  test("cancels it where Go's behaviour is asked for", async () => {
    setUp({ endOnFinish: 'cancel' });
    let request: Context | undefined;
    const url = await listen(
      extracted((_, response) => {
        request = active();
        response.end('ok');
      }),
    );
    await (await fetch(url)).text();
    expect(await ends.count(1)).toEqual(['http.server completed caller']);
    expect(request?.err()?.name).toBe('AbortError');
  });

  test('leaves nothing on the sockets of a connection with many pipelined requests', async () => {
    setUp();
    const warnings: unknown[] = [];
    const warn = (warning: Error) => warnings.push(warning);
    process.on('warning', warn);
    const responses: ServerResponse[] = [];
    let all: () => void;
    const thirty = new Promise<void>((resolve) => (all = resolve));
    const url = await listen(extracted((_, response) => responses.push(response) === 30 && all()));
    const client = await dial(url);
    client.resume();
    client.write(get('/').repeat(30));
    await thirty;
    const socket = responses[0]?.req.socket;
    const listening = socket?.listenerCount('close') ?? 0;
    for (const response of responses) response.end('ok');
    expect(new Set(await ends.count(30))).toEqual(new Set(['http.server completed caller']));
    await turn();
    process.off('warning', warn);
    expect(warnings).toEqual([]);
    expect(listening).toBeLessThan(5);
  });
});

describe('the deadline of a request', () => {
  test.each([
    ['5000', undefined, undefined, 5000],
    [undefined, 300, undefined, 300],
    ['5000', 300, undefined, 300],
    ['200', 300, undefined, 200],
    ['5000', undefined, 1000, 1000],
    ['soon', undefined, undefined, Infinity],
    [undefined, undefined, undefined, Infinity],
  ])(
    'with a budget of %s, a limit of %s and a cap of %s is in %s ms',
    async (budget, timeout, cap, expected) => {
      const now = 0;
      undo.push(
        useClock({ now: () => now, wallNow: () => now, setTimer: () => 0, clearTimer: () => undefined }),
      );
      setUp(timeout === undefined ? {} : { timeout }, cap);
      let remaining: number | undefined;
      const url = await listen(
        extracted((_, response) => {
          remaining = active().remaining();
          response.end();
        }),
      );
      await (
        await fetch(url, { headers: budget === undefined ? {} : { 'x-request-timeout-ms': budget } })
      ).text();
      expect(remaining).toBe(expected);
      expect(received).toHaveLength(1);
    },
  );
});

describe('the context of a request', () => {
  test('breaks no chain where the server was started under a live context', async () => {
    setUp();
    const breaks: unknown[] = [];
    undo.push(subscribe({ chainBroken: (event) => void breaks.push(event) }));
    const [live, cancel] = withCancel(background(), { name: 'boot' });
    const url = await run(live, () => listen(extracted((_, response) => response.end(active().toString()))));
    expect(await (await fetch(url)).text()).toContain('WithoutCancel');
    expect(breaks).toEqual([]);
    cancel();
  });

  test('is one, however often its headers are extracted, and is found by the request', async () => {
    setUp();
    const seen: unknown[] = [];
    const url = await listen(
      extracted((request, response) => {
        seen.push(nodeOf(active()), nodeOf(propagation.extract(ROOT_CONTEXT, request.headers)));
        seen.push(nodeOf(propagation.extract(active(), request.headers)));
        seen.push(requestContext(request), requestContext(response));
        response.end();
      }),
    );
    await (await fetch(url)).text();
    expect(new Set(seen).size).toBe(1);
    expect(received).toHaveLength(1);
  });

  test('is made for none of the requests to ignore, and a predicate that throws ignores nothing', async () => {
    setUp({
      ignore: (request) => {
        if (request.url === '/throws') throw new Error('predicate');
        return request.url === '/metrics';
      },
    });
    const url = await listen(
      extracted((_, response) => response.end(String(nodeOf(active()) !== undefined))),
    );
    expect(await (await fetch(`${url}/metrics`)).text()).toBe('false');
    expect(await (await fetch(`${url}/throws`)).text()).toBe('true');
    expect(received).toHaveLength(1);
  });

  test('is made no more after undo', async () => {
    setUp();
    undo.splice(2, 1)[0]?.();
    const url = await listen(
      extracted((_, response) => response.end(String(nodeOf(active()) !== undefined))),
    );
    expect(await (await fetch(url)).text()).toBe('false');
  });

  test('only tells what it would have cancelled in observe mode, and the handler answers', async () => {
    undo.push(setEnforcement(false));
    setUp({ timeout: 1 });
    const url = await listen(
      extracted(async (_, response) => {
        // Past the deadline by the clock, whatever the machine is doing.
        await new Promise((resolve) => setTimeout(resolve, 5));
        response.end('late');
      }),
    );
    expect(await (await fetch(url)).text()).toBe('late');
    expect(ends.list()).toEqual(['http.server completed caller']);
  });
});

describe('a second installed copy', () => {
  test('makes no second context of a request, and no second count', async () => {
    let second: typeof import('@curfew/http') | undefined;
    jest.isolateModules(() => {
      second = jest.requireActual<typeof import('@curfew/http')>('@curfew/http');
    });
    const copies = [instrumentServer(), (second as typeof import('@curfew/http')).instrumentServer()];
    expect(second?.instrumentServer).not.toBe(instrumentServer);
    propagation.setGlobalPropagator(
      new CompositePropagator({ propagators: copies.map(({ plant }) => new DeadlinePropagator({ plant })) }),
    );
    undo.push(...copies.map((copy) => copy.undo), () => propagation.disable());
    const found: unknown[] = [];
    const url = await listen(
      extracted((request, response) => {
        found.push(nodeOf(active()), requestContext(request), second?.requestContext(request));
        (second as typeof import('@curfew/http')).middleware()(request, response, () => response.end());
      }),
    );
    await (await fetch(url)).text();
    expect(await ends.count(1)).toEqual(['http.server completed caller']);
    expect([new Set(found).size, found[0] === undefined, received.length]).toEqual([1, false, 1]);
  });
});

test('what a request leaves open keeps its context, and not its response', async () => {
  setUp();
  const kept: OtelContext[] = [];
  const url = await listen(
    extracted((_, response) => {
      kept.push(active());
      response.end();
    }),
  );
  for (let i = 0; i < 20; i++) await (await fetch(url)).text();
  await ends.count(20);
  await turn();
  const held = kept.map((ctx) => ctx.getValue(RESPONSE_KEY) as { response: unknown; headersSent: boolean });
  expect(new Set(held.map(({ response }) => response))).toEqual(new Set([undefined]));
  expect(held.every(({ headersSent }) => headersSent)).toBe(true);
});

test('a thousand requests leave no child, callback or listener anywhere', async () => {
  setUp({ timeout: 60_000 });
  const url = await listen(
    extracted((_, response) =>
      scope({ timeout: 1_000 }, async () => 'ok').then((body) => response.end(body)),
    ),
  );
  for (let i = 0; i < 1_000; i++) await (await fetch(url)).text();
  await ends.count(2_000);
  for (const { node } of ends.all) {
    expect([node.firstChild, node.firstCallback, node.operations]).toEqual([undefined, undefined, undefined]);
  }
});
