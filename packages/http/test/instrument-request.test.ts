import http, { type ClientRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { context } from '@opentelemetry/api';
import { suppressTracing } from '@opentelemetry/core';
import {
  background,
  onEnd,
  run,
  reasonOf,
  withCancel,
  withTimeout,
  withoutCancel,
  type CancelContext,
} from '@curfew/context';
import { end, isAutomatic, nodeOf, retire, setEnforcement, subscribe } from '@curfew/context/spi';
import { instrumentFetch, instrumentHttpRequest, request, setAllowedHosts } from '@curfew/http';
import { useManualClock } from '../../../test/manual-clock';
import { closeAll, event, listen, turn, useContextManager } from './servers';

let undo: (() => unknown)[];
let refused: string[];

beforeEach(() => {
  refused = [];
  undo = [useContextManager(), subscribe({ callRefused: ({ source }) => void refused.push(source) })];
});
afterEach(async () => {
  await closeAll();
  for (const each of undo.reverse()) each();
});

const instrument = () => undo.push(instrumentHttpRequest());
const HEADER = 'x-request-timeout-ms';

/** A server that says which budget it was told; `/slow` begins and never ends, `/silent` never begins. */
const echo = () =>
  listen((incoming, response) => {
    if (incoming.url === '/silent') return;
    response.write(String(incoming.headers[HEADER]));
    if (incoming.url !== '/slow') response.end();
  });

async function body(made: ClientRequest): Promise<string> {
  const [response] = (await event(made, 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of response) text += String(chunk);
  return text;
}

async function failure(made: ClientRequest): Promise<Error & { code?: string }> {
  const [error] = await event(made, 'error').catch((thrown: unknown) => [thrown]);
  return error as Error;
}

/** Without listening to errors, as `once` of node:events does. */
function closing(made: ClientRequest): Promise<void> {
  return new Promise((resolve) => made.once('close', resolve));
}

function callbacks(ctx: CancelContext): number {
  let count = 0;
  for (let callback = nodeOf(ctx)?.firstCallback; callback !== undefined; callback = callback.next) count++;
  return count;
}

describe('a call under a context that is done', () => {
  test('fails without being dialled, with the reason as its cause, and leaves kept-alive connections alone', async () => {
    instrument();
    let connections = 0;
    const server = http.createServer((_, response) => response.end('ok'));
    server.on('connection', () => connections++);
    const url = await listen(server);
    const agent = new http.Agent({ keepAlive: true });
    await body(http.get(url, { agent }));
    const connect = jest.spyOn(net.Socket.prototype, 'connect');
    const [spent] = withTimeout(background(), 0);
    for (const make of [
      () => http.request(url, { agent }).end(),
      () => http.get({ host: '127.0.0.1', port: new URL(url).port, agent }),
      () => http.get(new URL(url), () => undefined),
    ]) {
      const error = await failure(run(spent, make));
      expect([error.name, error.code, reasonOf(error)]).toEqual([
        'AbortError',
        'ABORT_ERR',
        'deadline_exceeded',
      ]);
    }
    expect(connect).not.toHaveBeenCalled();
    connect.mockRestore();
    expect(refused).toEqual(['http.client', 'http.client', 'http.client']);
    await body(http.get(url, { agent }));
    expect(connections).toBe(1);
    agent.destroy();
  });

  test.each([
    ['of another protocol than its module', { protocol: 'https:', agent: new https.Agent() }, undefined],
    ['without a listener', {}, undefined],
    ['with a URL of another library', undefined, new URL('http://127.0.0.1:1/path?q')],
  ])('fails in a later turn, and not in the call: %s', async (_, options, url) => {
    instrument();
    const [ctx, cancel] = withCancel(background());
    cancel(new Error('left'));
    class Foreign {
      constructor(private readonly inner: URL) {}
      get href() {
        return this.inner.href;
      }
      get protocol() {
        return this.inner.protocol;
      }
      get hostname() {
        return this.inner.hostname;
      }
      get pathname() {
        return this.inner.pathname;
      }
      get search() {
        return this.inner.search;
      }
    }
    const made = run(ctx, () =>
      url === undefined
        ? http.request({ host: '127.0.0.1', port: 1, path: '/path?q', ...options })
        : http.request(new Foreign(url) as unknown as URL),
    );
    expect(made.path).toBe('/path?q');
    await closing(made.end());
    expect(made.destroyed).toBe(true);
  });

  test('is made at last where it is tried again and again', async () => {
    instrument();
    const url = await echo();
    const [ctx, cancel] = withCancel(background());
    cancel(new Error('left'));
    const [answer, refusals] = await run(ctx, async () => {
      for (let refusals = 0; ; refusals++) {
        try {
          return [await body(http.get(url)), refusals];
        } catch {
          // Again, without a pause.
        }
      }
    });
    expect([answer, refusals]).toEqual(['undefined', 16]);
  });

  test('is counted as refused for its budget alone, not for being cancelled', async () => {
    instrument();
    const [ctx, cancel] = withCancel(background());
    cancel(new Error('left'));
    expect(reasonOf(await failure(run(ctx, () => http.get('http://127.0.0.1:1/'))))).toBe('canceled');
    expect(refused).toEqual([]);
  });

  test('fails in the explicit form too, and is counted once where both are in force', async () => {
    instrument();
    const [spent] = withTimeout(background(), 0);
    expect(reasonOf(await failure(request(spent, 'http://127.0.0.1:1/').end()))).toBe('deadline_exceeded');
    expect(refused).toEqual(['http.client']);
  });
  test('does not take what hears of its end for the explicit call that noticed it', async () => {
    instrument();
    const url = await echo();
    const { clock, restore } = useManualClock();
    undo.push(restore);
    const [spent] = withTimeout(background(), 100);
    const [other] = withTimeout(background(), 60_000);
    let reported: Promise<string> | undefined;
    run(other, () => onEnd(spent, () => void (reported = body(http.get(url)))));
    clock.block(200);
    expect(reasonOf(await failure(request(spent, url).end()))).toBe('deadline_exceeded');
    expect(await reported).toMatch(/^\d{5}$/);
    expect(refused).toEqual(['http.client']);
  });
});

describe('two installed copies', () => {
  test('are one: one list of hosts, one budget, one refusal, one end', async () => {
    let second!: { instrumentFetch: () => () => void; instrumentHttpRequest: () => () => void };
    jest.isolateModules(() => (second = jest.requireActual('@curfew/http')));
    expect(second.instrumentHttpRequest).not.toBe(instrumentHttpRequest);
    instrument();
    undo.push(instrumentFetch(), second.instrumentHttpRequest(), second.instrumentFetch());
    const url = await echo();
    const [ctx, cancel] = withTimeout(background(), 60_000);
    const ask = () => Promise.all([body(http.get(url)), fetch(url).then((answer) => answer.text())]);
    const told = await run(ctx, ask);
    expect(told.every((budget) => /^\d{5}$/.test(budget))).toBe(true);
    undo.push(setAllowedHosts(['*.example.com']));
    expect(await run(ctx, ask)).toEqual(['undefined', 'undefined']);
    const made = run(ctx, () => http.get(`${url}/silent`));
    expect(callbacks(ctx)).toBe(1);
    const failed = failure(made);
    cancel(new Error('left'));
    expect(isAutomatic(await failed)).toBe(true);
    const [spent] = withTimeout(background(), 0);
    await failure(run(spent, () => http.get(url)));
    await run(spent, () => fetch(url)).catch(() => undefined);
    expect(refused).toEqual(['http.client', 'http.client']);
  });
});

describe('a context that ends during a call', () => {
  test('ends it as its own destroy() would, and says why in the cause', async () => {
    instrument();
    const url = await echo();
    const [ctx, cancel] = withCancel(background());
    const made = run(ctx, () => http.get(`${url}/silent`));
    await event(made, 'finish');
    const failed = failure(made);
    const why = new Error('user left');
    cancel(why);
    // What proxies forgive, which end their own calls so.
    const error = await failed;
    expect([error.code, error.message, isAutomatic(error)]).toEqual(['ECONNRESET', 'socket hang up', true]);
    expect(error).toMatchObject({ cause: { name: 'AbortError', cause: { cause: why } } });
    expect(callbacks(ctx)).toBe(0);
  });

  test.each(['cancel', 'deadline'])(
    'closes the connection of a response under way, and tells its reader alone: %s',
    async (how) => {
      instrument();
      const url = await echo();
      const [ctx, cancel] = how === 'cancel' ? withCancel(background()) : withTimeout(background(), 100);
      const made = run(ctx, () => http.get(`${url}/slow`));
      const errors: unknown[] = [];
      made.on('error', (error) => errors.push(error));
      const [response] = (await event(made, 'response')) as [IncomingMessage];
      const read = (async () => {
        for await (const _ of response);
      })().catch((error: unknown) => error as Error & { code?: string });
      if (how === 'cancel') cancel(new Error('user left'));
      const error = await read;
      expect(error).toMatchObject({ code: 'ECONNRESET', message: 'aborted', cause: { cause: ctx.err() } });
      expect(isAutomatic(error)).toBe(true);
      expect([errors, callbacks(ctx)]).toEqual([[], 0]);
    },
  );

  test('ends one that the program put under it with an AbortError, also behind the patch', async () => {
    instrument();
    const url = await echo();
    for (const path of ['/silent', '/slow']) {
      const [ctx, cancel] = withCancel(background());
      const made = request(ctx, url + path).end();
      await event(made, path === '/slow' ? 'response' : 'finish');
      const failed = failure(made);
      cancel(new Error('user left'));
      const error = await failed;
      expect([error.code, error.cause, isAutomatic(error)]).toEqual(['ABORT_ERR', ctx.err(), false]);
    }
  });

  test('comes after what the program itself makes of a client that has left', async () => {
    instrument();
    const url = await echo();
    const [ctx] = withCancel(background());
    const made = run(ctx, () => http.get(`${url}/silent`));
    await event(made, 'finish');
    const failed = failure(made);
    end(ctx, { origin: 'client_disconnect', automatic: true });
    const own = new Error('premature close');
    await Promise.resolve().then(() => made.destroy(own));
    expect([await failed, isAutomatic(own)]).toEqual([own, false]);
  });

  test('is no end of a process where nobody listens, nor of a clean-up that a listener interrupts', async () => {
    instrument();
    const url = await echo();
    const freed: unknown[] = [];
    for (const path of ['/silent', '/slow']) {
      const [ctx, cancel] = withCancel(background());
      const made = run(ctx, () => http.get(url + path));
      await event(made, path === '/slow' ? 'response' : 'finish');
      const closed = closing(made);
      cancel(new Error('user left'));
      await closed;
      await turn();
      freed.push((made as { parser?: unknown }).parser);
    }
    expect(freed).toEqual([null, null]);
  });

  test('is that of its own request alone, also in the queue of an agent', async () => {
    instrument();
    const answers: ServerResponse[] = [];
    const url = await listen((_, response) => void answers.push(response));
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const [ctx, cancel] = withCancel(background());
    const [innocent] = withCancel(background());
    const first = run(innocent, () => http.get(url, { agent }));
    while (answers.length === 0) await turn();
    const queued = run(ctx, () => http.get(url, { agent }));
    const last = run(innocent, () => http.get(url, { agent }));
    const failed = failure(queued);
    cancel(new Error('user left'));
    while (!queued.destroyed) await turn();
    answers[0]?.end('first');
    expect(await body(first)).toBe('first');
    expect(isAutomatic(await failed)).toBe(true);
    while (answers.length === 1) await turn();
    answers[1]?.end('last');
    expect(await body(last)).toBe('last');
    agent.destroy();
  });

  test('by its deadline surfaces as the cause, though Node calls it an abort', async () => {
    instrument();
    const url = await echo();
    const [ctx, cancel] = withTimeout(background(), 30);
    const error = await failure(run(ctx, () => http.get(`${url}/silent`)));
    // Nobody tries that again, as they would a connection that was reset.
    expect([error.name, error.code]).toEqual(['AbortError', 'ABORT_ERR']);
    expect([(error.cause as Error).cause, isAutomatic(error)]).toEqual([ctx.err(), true]);
    expect(reasonOf(error)).toBe('deadline_exceeded');
    cancel();
  });

  test("leaves the caller's own signal to be the caller's own", async () => {
    instrument();
    const url = await echo();
    const [ctx, cancel] = withCancel(background());
    const own = new AbortController();
    const made = run(ctx, () => http.get(`${url}/silent`, { signal: own.signal }));
    const why = new Error('mine');
    const failed = failure(made);
    own.abort(why);
    expect((await failed).cause).toBe(why);
    expect(ctx.err()).toBeUndefined();
    cancel();
  });
});

describe('the budget', () => {
  test('goes along once, rounded down, and in every form of call', async () => {
    instrument();
    const url = await echo();
    const { port } = new URL(url);
    const [ctx, cancel] = withTimeout(background(), 60_000);
    for (const make of [
      () => http.get(url),
      () => http.get(new URL(url), { headers: { a: 'b' } }),
      () => http.get({ host: '127.0.0.1', port }),
      () => http.request(url, { method: 'POST' }).end('body'),
      () => request(ctx, url).end(),
      () => request(ctx, url, { headers: {} }).end(),
      () => request(ctx, { host: '127.0.0.1', port }).end(),
    ]) {
      const told = await body(run(ctx, make));
      expect(told).toMatch(/^\d{5}$/);
      expect(Number(told)).toBeLessThan(60_000);
    }
    cancel();
  });

  test('that a gateway hands on is lowered to its own, and never raised', async () => {
    instrument();
    const url = await echo();
    const [ctx, cancel] = withTimeout(background(), 60_000);
    const ask = (given: string) => body(run(ctx, () => http.get(url, { headers: { [HEADER]: given } })));
    expect(Number(await ask('9000000'))).toBeLessThanOrEqual(60_000);
    expect(await ask('5')).toBe('5');
    expect(Number(await ask('junk'))).toBeLessThanOrEqual(60_000);
    cancel();
  });

  test('goes to no host outside the list, but the signal does', async () => {
    instrument();
    undo.push(setAllowedHosts(['*.example.com']));
    const url = await echo();
    const [ctx, cancel] = withTimeout(background(), 60_000);
    expect(await body(run(ctx, () => http.get(url)))).toBe('undefined');
    const failed = failure(run(ctx, () => http.get(`${url}/silent`)));
    cancel(new Error('left'));
    expect(reasonOf(await failed)).toBe('canceled');
  });
});

describe('nothing changes', () => {
  test('outside a context, under one without cancellation, after the response, and for exporters', async () => {
    instrument();
    const url = await echo();
    const [ctx, cancel] = withTimeout(background(), 60_000);
    const [gone] = withTimeout(background(), 60_000);
    retire(gone);
    const ask = () => body(http.get(url));
    expect(await ask()).toBe('undefined');
    expect(await run(withoutCancel(ctx), ask)).toBe('undefined');
    expect(await run(gone, ask)).toBe('undefined');
    expect(await context.with(suppressTracing(ctx), ask)).toBe('undefined');
    expect(callbacks(ctx)).toBe(0);
    cancel();
  });

  test('under the kill switch: no budget, no refusal, no end; but the explicit form ends with its context', async () => {
    instrument();
    const url = await echo();
    undo.push(setEnforcement(false));
    const [ctx, cancel] = withTimeout(background(), 60_000);
    const ask = () => body(run(ctx, () => http.get(url)));
    expect([await ask(), await body(request(ctx, url).end())]).toEqual(['undefined', 'undefined']);
    const asked = failure(request(ctx, `${url}/silent`).end());
    cancel(new Error('left'));
    expect((await asked).cause).toBe(ctx.err());
    expect(await ask()).toBe('undefined');
    expect(refused).toEqual([]);
  });

  test('after undo, also where somebody has patched over it', async () => {
    const native = [http.request, http.get];
    const stop = instrumentHttpRequest();
    const ours = http.get;
    http.get = ((...args: Parameters<typeof http.get>) => ours(...args)) as typeof http.get;
    const over = http.get;
    stop();
    expect([http.request, http.get]).toEqual([native[0], over]);
    const url = await echo();
    const [ctx, cancel] = withTimeout(background(), 60_000);
    expect(await body(run(ctx, () => http.get(url)))).toBe('undefined');
    http.get = native[1] as typeof http.get;
    cancel();
  });

  test('for a call that throws: it throws the same, and leaves nothing', () => {
    instrument();
    const [ctx, cancel] = withTimeout(background(), 60_000);
    expect(() => run(ctx, () => http.get('no url'))).toThrow('Invalid URL');
    expect(callbacks(ctx)).toBe(0);
    cancel();
  });
});

test('200 finished calls leave no listener, no child and no signal on the context', async () => {
  instrument();
  const url = await echo();
  const [ctx, cancel] = withTimeout(background(), 60_000);
  await run(ctx, async () => {
    for (let i = 0; i < 100; i++) await body(http.get(url));
    await Promise.all(Array.from({ length: 100 }, () => body(http.get(url, { agent: false }))));
  });
  // A request closes a turn or two after its response has been read.
  for (let i = 0; i < 1_000 && callbacks(ctx) > 0; i++) await new Promise((resolve) => setImmediate(resolve));
  const node = nodeOf(ctx);
  expect([callbacks(ctx), node?.firstChild, node?.controller]).toEqual([0, undefined, undefined]);
  cancel();
});
