import { getEventListeners } from 'node:events';
import { context } from '@opentelemetry/api';
import { suppressTracing } from '@opentelemetry/core';
import {
  background,
  run,
  reasonOf,
  withCancel,
  withTimeout,
  withoutCancel,
  type CancelContext,
} from '@curfew/context';
import { isAutomatic, nodeOf, retire, setEnforcement, subscribe } from '@curfew/context/spi';
import { fetch as fetchUnder, instrumentFetch, setAllowedHosts } from '@curfew/http';
import { useManualClock } from '../../../test/manual-clock';
import { closeAll, listen, useContextManager } from './servers';

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

const instrument = () => undo.push(instrumentFetch());
const HEADER = 'x-request-timeout-ms';

const echo = () =>
  listen((incoming, response) => {
    const path = incoming.url ?? '';
    if (path === '/silent') return;
    if (path.startsWith('/to=')) {
      response.writeHead(302, { location: path.slice(4) }).end();
      return;
    }
    if (path === '/204') {
      response.writeHead(204).end();
      return;
    }
    if (path === '/drop') {
      response.write('some');
      setImmediate(() => response.destroy());
      return;
    }
    response.write(path === '/big' ? Buffer.alloc(3_000_000) : String(incoming.headers[HEADER]));
    if (path !== '/slow') response.end();
  });

function callbacks(ctx: CancelContext): number {
  let count = 0;
  for (let callback = nodeOf(ctx)?.firstCallback; callback !== undefined; callback = callback.next) count++;
  return count;
}

/** Waits until nothing is left on the context: undici tells of the end of a body a few turns after its reader. */
async function settled(ctx: CancelContext): Promise<void> {
  for (let i = 0; i < 1_000 && callbacks(ctx) > 0; i++) await new Promise((resolve) => setImmediate(resolve));
}

async function rejection(promise: Promise<unknown>): Promise<Error> {
  return promise.then(
    () => new Error('it was fulfilled'),
    (error: unknown) => error as Error,
  );
}

const text = async (url: string, init?: RequestInit) => (await fetch(url, init)).text();

describe('a call under a context that is done', () => {
  test('is refused before it is dialled, with an error of its own, or the very one of the context where it was asked for', async () => {
    instrument();
    let connections = 0;
    const url = await listen(() => connections++);
    const [spent] = withTimeout(background(), 0);
    const [canceled, cancel] = withCancel(background());
    cancel(new Error('left'));
    for (const ctx of [spent, canceled]) {
      const call = () => rejection(run(ctx, () => fetch(url)));
      const [first, second] = await Promise.all([call(), call()]);
      expect([first.name, first.cause, isAutomatic(first)]).toEqual([ctx.err()?.name, ctx.err(), true]);
      expect(second).not.toBe(first);
      await expect(fetchUnder(ctx, url)).rejects.toBe(ctx.err());
    }
    expect(isAutomatic(spent.err())).toBe(false);
    expect([refused, connections]).toEqual([['http.client', 'http.client', 'http.client'], 0]);
  });

  test('that is tried again without a pause lets others have their turn, and is made at last', async () => {
    instrument();
    const url = await echo();
    const [ctx, cancel] = withCancel(background());
    cancel(new Error('left'));
    let turns = 0;
    let refusals = 0;
    const answer = await run(ctx, async () => {
      for (;;) {
        const immediate = setImmediate(() => turns++);
        try {
          return await text(url);
        } catch {
          refusals++;
          clearImmediate(immediate);
        }
      }
    });
    // A few, and then it goes out as if it were under no context.
    expect([answer, refusals]).toEqual(['undefined', 16]);
    // With a turn of the loop before each of them, and before the answer.
    expect(turns).toBe(17);
  });
});

describe('a context that ends during a call', () => {
  test.each(['canceled', 'deadline_exceeded'])('rejects it with an error of its own: %s', async (reason) => {
    instrument();
    const url = await echo();
    const [ctx, cancel] = reason === 'canceled' ? withCancel(background()) : withTimeout(background(), 30);
    const calls = [1, 2].map(() => rejection(run(ctx, () => fetch(`${url}/silent`))));
    const asked = rejection(fetchUnder(ctx, `${url}/silent`));
    if (reason === 'canceled') cancel(new Error('left'));
    const [first, second] = await Promise.all(calls);
    expect([first?.cause, reasonOf(first), isAutomatic(first)]).toEqual([ctx.err(), reason, true]);
    expect(second).not.toBe(first);
    // In the explicit form it is the program's own.
    expect(await asked).toBe(ctx.err());
    expect(callbacks(ctx)).toBe(0);
  });

  test('does not abort the call in the middle of what asks for the error', async () => {
    instrument();
    const url = await echo();
    const { clock, restore } = useManualClock();
    undo.push(restore);
    const [ctx] = withTimeout(background(), 100);
    const own = new AbortController();
    const answer = rejection(run(ctx, () => fetch(`${url}/silent`, { signal: own.signal })));
    clock.block(200);
    const why = new Error('mine');
    // Noticed in the same expression: what the caller says in its own turn still comes first.
    expect(ctx.err()?.name).toBe('TimeoutError');
    own.abort(why);
    expect(await answer).toBe(why);
  });

  test('cancels a body that still streams, after the promise has long resolved', async () => {
    instrument();
    const url = await echo();
    const [ctx, cancel] = withCancel(background());
    const answer = await run(ctx, () => fetch(`${url}/slow`));
    const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
    await reader.read();
    const next = rejection(reader.read());
    cancel(new Error('left'));
    // With the error itself, and not one of undici's.
    expect(await next).toMatchObject({ name: 'AbortError', cause: ctx.err() });
    expect(isAutomatic(await next)).toBe(true);
    expect(callbacks(ctx)).toBe(0);
  });
});

describe("the caller's own signal", () => {
  test('rejects the call with its own reason, and keeps no listener after', async () => {
    instrument();
    const url = await echo();
    const [ctx, cancel] = withCancel(background());
    const own = new AbortController();
    const listening = () => getEventListeners(own.signal, 'abort').length;
    const why = new Error('mine');
    await run(ctx, () => text(url, { signal: own.signal }));
    await settled(ctx);
    expect(listening()).toBe(0);
    const answer = run(ctx, () => fetch(`${url}/silent`, { signal: own.signal }));
    own.abort(why);
    await expect(answer).rejects.toBe(why);
    await expect(run(ctx, () => fetch(url, { signal: own.signal }))).rejects.toBe(why);
    expect([listening(), callbacks(ctx), ctx.err()]).toEqual([0, 0, undefined]);
    cancel();
  });

  test('of a Request is kept, unless the options take it away', async () => {
    instrument();
    const url = await echo();
    const [ctx, cancel] = withCancel(background());
    const own = new AbortController();
    const asked = new Request(`${url}/silent`, { signal: own.signal });
    const answer = run(ctx, () => fetch(asked));
    own.abort(new Error('mine'));
    await expect(answer).rejects.toThrow('mine');
    expect(await run(ctx, () => text(url, { signal: null }))).toBe('undefined');
    await settled(ctx);
    expect(callbacks(ctx)).toBe(0);
    cancel();
  });

  test('may be shared by many calls at once without a warning', async () => {
    instrument();
    const url = await echo();
    const warnings: unknown[] = [];
    const warn = (warning: Error) => warnings.push(warning);
    process.on('warning', warn);
    const own = new AbortController();
    const [ctx, cancel] = withCancel(background());
    await run(ctx, () => Promise.all(Array.from({ length: 30 }, () => text(url, { signal: own.signal }))));
    await settled(ctx);
    process.off('warning', warn);
    expect([warnings, getEventListeners(own.signal, 'abort')]).toEqual([[], []]);
    cancel();
  });
});

describe('the budget', () => {
  test('follows a redirect within the list, and goes to no host outside it', async () => {
    instrument();
    const url = await echo();
    const inside = url.replace('127.0.0.1', 'localhost');
    undo.push(setAllowedHosts(['localhost']));
    const [ctx, cancel] = withTimeout(background(), 60_000);
    expect(await run(ctx, () => text(`${url}/to=${encodeURI(`${inside}/x`)}`))).toMatch(/^\d{5}$/);
    expect(await run(ctx, () => text(`${inside}/to=${encodeURI(`${url}/x`)}`))).toBe('undefined');
    await settled(ctx);
    expect(callbacks(ctx)).toBe(0);
    cancel();
  });

  test('that a gateway hands on is lowered to its own, and never raised', async () => {
    instrument();
    const url = await echo();
    const [ctx, cancel] = withTimeout(background(), 60_000);
    const ask = (given: string) => run(ctx, () => text(url, { headers: { 'X-Request-Timeout-Ms': given } }));
    expect(Number(await ask('9000000'))).toBeLessThanOrEqual(60_000);
    expect(await ask('5')).toBe('5');
    expect(Number(await ask('junk'))).toBeLessThanOrEqual(60_000);
    cancel();
  });

  test('goes along once in the explicit form, with and without the patch and a ContextManager', async () => {
    const url = await echo();
    const [ctx, cancel] = withTimeout(background(), 60_000);
    const told: string[] = [];
    const ask = async () => told.push(await (await fetchUnder(ctx, url)).text());
    await ask();
    instrument();
    await ask();
    context.disable();
    await ask();
    expect(told.map((each) => /^\d{5}$/.test(each))).toEqual([true, true, true]);
    await settled(ctx);
    expect(callbacks(ctx)).toBe(0);
    cancel();
  });
});

describe('nothing changes', () => {
  test('outside a context, under one without cancellation, after the response, and for exporters', async () => {
    instrument();
    const url = await echo();
    const [ctx, cancel] = withTimeout(background(), 60_000);
    const [gone] = withTimeout(background(), 60_000);
    retire(gone);
    expect(await text(url)).toBe('undefined');
    for (const at of [withoutCancel(ctx), gone, suppressTracing(ctx)]) {
      expect(await context.with(at, () => text(url))).toBe('undefined');
    }
    expect(callbacks(ctx)).toBe(0);
    cancel();
  });

  test('under the kill switch: no budget, no refusal, no abort; but the explicit form ends with its context', async () => {
    instrument();
    const url = await echo();
    undo.push(setEnforcement(false));
    const [ctx, cancel] = withTimeout(background(), 60_000);
    expect(await run(ctx, () => text(url))).toBe('undefined');
    expect(await (await fetchUnder(ctx, url)).text()).toBe('undefined');
    const answer = await run(ctx, () => fetch(`${url}/slow`));
    const asked = rejection(fetchUnder(ctx, `${url}/silent`));
    cancel(new Error('left'));
    expect(await asked).toBe(ctx.err());
    expect(await run(ctx, () => text(url))).toBe('undefined');
    const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
    expect((await reader.read()).done).toBe(false);
    expect(refused).toEqual([]);
    void reader.cancel();
  });

  test('in how wrong calls fail', async () => {
    const [ctx, cancel] = withCancel(background());
    const calls = [
      () => (fetch as () => Promise<unknown>)(),
      () => fetch('no url'),
      () => fetch('http://x', 5 as RequestInit),
    ];
    const failures = () =>
      Promise.all(
        calls.map((call) => run(ctx, async () => call()).then(String, (error: Error) => error.message)),
      );
    const before = await failures();
    instrument();
    expect(await failures()).toEqual(before);
    expect([fetch.name, fetch.length, callbacks(ctx)]).toEqual(['fetch', 1, 0]);
    cancel();
  });

  test('in options whose members are getters: a Request, an object of a class', async () => {
    instrument();
    const [ctx, cancel] = withCancel(background());
    const url = await listen((incoming, response) =>
      response.end(`${incoming.method} ${incoming.headers['x-a']}`),
    );
    class Options {
      get method() {
        return 'PUT';
      }
      get headers() {
        return { 'x-a': 'b' };
      }
    }
    const asked = new Request('http://unused', { method: 'DELETE', headers: { 'x-a': 'c' } });
    expect(await run(ctx, () => text(url, new Options()))).toBe('PUT b');
    expect(await run(ctx, () => text(url, asked as RequestInit))).toBe('DELETE c');
    cancel();
  });

  test('after undo, also where somebody has patched over it', async () => {
    const native = globalThis.fetch;
    const stop = instrumentFetch();
    const ours = globalThis.fetch;
    const over: typeof fetch = (...args) => ours(...args);
    globalThis.fetch = over;
    stop();
    expect(globalThis.fetch).toBe(over);
    const [ctx, cancel] = withTimeout(background(), 60_000);
    const url = await echo();
    expect(await run(ctx, () => text(url))).toBe('undefined');
    globalThis.fetch = native;
    instrumentFetch()();
    expect(globalThis.fetch).toBe(native);
    cancel();
  });
});

describe('nothing is left on the context', () => {
  test.each([
    ['a body that was read', '/', (answer: Response) => answer.text()],
    ['a small body that nobody read', '/', () => undefined],
    ['no body', '/204', () => undefined],
    ['a body that was cancelled', '/big', (answer: Response) => answer.body?.cancel()],
    ['a body that broke off', '/drop', (answer: Response) => answer.text().catch(() => undefined)],
    ['a redirect', '/to=/x', (answer: Response) => answer.text()],
  ])('after %s', async (_, path, consume) => {
    instrument();
    const url = await echo();
    const [ctx, cancel] = withCancel(background());
    await consume(await run(ctx, () => fetch(url + path)));
    await settled(ctx);
    expect(callbacks(ctx)).toBe(0);
    cancel();
  });

  test('after a connection that was refused, and a URL that needs none', async () => {
    instrument();
    const [ctx, cancel] = withCancel(background());
    const url = await listen(() => undefined);
    await closeAll();
    await expect(run(ctx, () => fetch(url))).rejects.toThrow('fetch failed');
    expect(await run(ctx, () => text('data:text/plain,abc'))).toBe('abc');
    await settled(ctx);
    expect(callbacks(ctx)).toBe(0);
    cancel();
  });

  test('after 200 calls: no listener, no child, no signal', async () => {
    instrument();
    const url = await echo();
    const [ctx, cancel] = withTimeout(background(), 60_000);
    await run(ctx, async () => {
      for (let i = 0; i < 100; i++) await text(url);
      await Promise.all(Array.from({ length: 100 }, () => text(url)));
    });
    await settled(ctx);
    const node = nodeOf(ctx);
    expect([callbacks(ctx), node?.firstChild, node?.controller]).toEqual([0, undefined, undefined]);
    cancel();
  });
});
