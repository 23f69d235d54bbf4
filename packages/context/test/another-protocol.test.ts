import { isCanceled, type CancelContext, type Context } from '@curfew/context';
import type { ContextEnded, ContextNode, Ending } from '@curfew/context/spi';
import { installCopy, type InstalledCopy } from './installed-copy';

// What every verb does with a context of an installed copy whose nodes have another layout and protocol number.

const here: Pick<InstalledCopy, 'api' | 'spi'> = {
  api: require('@curfew/context') as InstalledCopy['api'],
  spi: require('@curfew/context/spi') as InstalledCopy['spi'],
};
const copy = installCopy({ anotherProtocol: true });
afterAll(() => copy.remove());
const pairs = [
  { name: 'this one above the other', up: here, down: copy },
  { name: 'the other above this one', up: copy, down: here },
];

interface Linked {
  readonly next: Linked | undefined;
}

/** How many callbacks a node of either layout holds. */
function listeners(ctx: Context): number {
  const node = ctx as unknown as Record<string, Linked | undefined>;
  let count = 0;
  for (let each = node['firstCallback'] ?? node['firstCallbackTwo']; each !== undefined; each = each.next)
    count++;
  return count;
}

type Api = InstalledCopy['api'];

/** Begins something under a context; `over` brings it to its own end, and `said` is what the end of the context made of it. */
interface Begun {
  over(): unknown;
  said(): unknown;
}

/** The error of a promise, once it has rejected. */
function failure(promise: Promise<unknown>): () => Promise<unknown> {
  const caught = promise.then(
    () => 'no error',
    (error: unknown) => error,
  );
  return () => caught;
}

async function* forever(step: Promise<unknown>): AsyncGenerator<unknown> {
  for (;;) yield await step;
}

/** A promise and how to fulfil it. */
function open(): [Promise<unknown>, (value: unknown) => void] {
  let fulfil!: (value: unknown) => void;
  return [new Promise((resolve) => (fulfil = resolve)), fulfil];
}

/** Each verb that waits for the end of a context, which holds one listener for as long as it does. */
const verbs: Record<string, (api: Api, ctx: CancelContext) => Begun> = {
  onEnd(api, ctx) {
    let called: unknown;
    const stop = api.onEnd(ctx, () => (called = ctx.err()));
    return { over: stop, said: () => called };
  },
  afterFunc(api, ctx) {
    let called: unknown;
    const stop = api.afterFunc(ctx, () => (called = ctx.err()));
    return { over: stop, said: () => called };
  },
  cleanup(api, ctx) {
    let called: unknown;
    const stop = api.cleanup(ctx, () => (called = ctx.err()));
    return { over: stop, said: () => called };
  },
  sleep(api, ctx) {
    const sleep = api.sleep(ctx, 5);
    const error = failure(sleep);
    return { over: error, said: error };
  },
  race(api, ctx) {
    const [promise, fulfil] = open();
    const race = api.race(ctx, promise);
    const error = failure(race);
    return { over: () => (fulfil(1), error()), said: error };
  },
  'a step of iterate'(api, ctx) {
    const [promise, fulfil] = open();
    const step = failure(api.iterate(ctx, forever(promise)).next());
    return { over: () => (fulfil(1), step()), said: step };
  },
  run(api, ctx) {
    const [promise, fulfil] = open();
    const result = api.run(ctx, () => promise);
    return { over: () => (fulfil(1), result), said: () => ctx.err() };
  },
  track(api, ctx) {
    const [promise, fulfil] = open();
    const result = api.track(ctx, promise);
    return { over: () => (fulfil(1), result), said: () => ctx.err() };
  },
  scope(api, ctx) {
    const [promise, fulfil] = open();
    const error = failure(api.scope(ctx, {}, () => promise));
    return { over: () => (fulfil(1), error()), said: error };
  },
  group(api, ctx) {
    const [tasks, shared] = api.group(ctx);
    return { over: () => tasks.wait(), said: () => shared.err() };
  },
  notifyContext(api, ctx) {
    const [notified, stop] = api.notifyContext(ctx, 'SIGUSR2');
    return { over: stop, said: () => notified.err() };
  },
  'merge, for the values': (api, ctx) => {
    const [other, releaseOther] = api.withCancel(api.background());
    const [merged, release] = api.merge(ctx, other);
    return { over: () => (release(), releaseOther()), said: () => merged.err() };
  },
  'merge, for the other one': (api, ctx) => {
    const [merged, release] = api.merge(api.background(), ctx);
    return { over: release, said: () => merged.err() };
  },
};

const rows = pairs.flatMap(({ name, up, down }) =>
  Object.entries(verbs).map(([verb, begin]) => ({ name, up, down, verb, begin })),
);

describe.each(rows)('$verb, with $name', ({ up, down, begin }) => {
  const [parent, cancel] = up.api.withCancel(up.api.background());
  // As a library would hand it on.
  const ctx = up.api.withValue(parent, Symbol('k'), 1) as CancelContext;

  test('lets go of its one listener once it is over', async () => {
    for (let round = 0; round < 3; round++) {
      const begun = begin(down.api, ctx);
      expect(listeners(parent)).toBe(1);
      // What was waited for came first: nobody is told of an end.
      expect(isCanceled(await begun.over())).toBe(false);
      expect([listeners(parent), parent.err()]).toEqual([0, undefined]);
    }
  });

  test('ends with the context, and with its cause; on one that has ended, too', async () => {
    const begun = [begin(down.api, ctx)];
    cancel('why');
    begun.push(begin(down.api, ctx));
    await Promise.resolve();
    for (const each of begun) {
      const error = await each.said();
      expect([isCanceled(error), (error as Error).cause]).toEqual([true, 'why']);
      await each.over();
    }
    expect(listeners(parent)).toBe(0);
  });
});

describe.each(pairs)('with $name', ({ up, down }) => {
  test('an adapter is told that it can end, and with what', () => {
    const [ctx] = up.api.withCancel(up.api.background());
    const [other] = up.api.withCancel(up.api.background());
    const view = down.api.withValue(ctx, Symbol('k'), 1);
    const { canEnd, endsWith, endingWith } = down.spi;
    expect([canEnd(view), endsWith(view, ctx), endsWith(view, other)]).toEqual([true, true, false]);
    expect([endingWith(view, other), endsWith(endingWith(down.api.background(), ctx), ctx)]).toEqual([
      view,
      true,
    ]);
  });

  test('a callback is called in the cancel itself, once, and a stopped one never', async () => {
    const [ctx, cancel] = up.api.withCancel(up.api.background());
    const said: string[] = [];
    down.api.onEnd(ctx, () => said.push('onEnd'));
    down.api.afterFunc(ctx, () => said.push('afterFunc'));
    const stop = down.api.onEnd(ctx, () => said.push('never'));
    expect([stop(), stop()]).toEqual([true, false]);
    cancel();
    said.push('returned');
    await Promise.resolve();
    expect(said).toEqual(['onEnd', 'returned', 'afterFunc']);
  });

  test('checkpoint looks at the context, and listens to nothing', async () => {
    const [ctx, cancel] = up.api.withCancel(up.api.background());
    await down.api.checkpoint(ctx);
    expect(listeners(ctx)).toBe(0);
    cancel('why');
    await expect(down.api.checkpoint(ctx)).rejects.toBe(ctx.err());
  });

  test('iterate holds no listener between two steps, and asks the source to return at the end', async () => {
    const [ctx, cancel] = up.api.withCancel(up.api.background());
    let returned = false;
    async function* source() {
      try {
        for (let n = 1; ; n++) yield n;
      } finally {
        returned = true;
      }
    }
    const seen: number[] = [];
    const loop = async () => {
      for await (const n of down.api.iterate(ctx, source())) {
        expect(listeners(ctx)).toBe(0);
        if (seen.push(n) === 3) cancel('why');
      }
    };
    await expect(loop()).rejects.toMatchObject({ name: 'AbortError', cause: 'why' });
    expect([seen, returned]).toEqual([[1, 2, 3], true]);
  });

  test('merge of two of the other protocol holds both, and lets go of both', () => {
    for (const winner of ['values', 'other', 'neither'] as const) {
      const [values, endValues] = up.api.withCancel(up.api.background());
      const [other, endOther] = up.api.withCancel(up.api.background());
      const [merged, release] = down.api.merge(values, other);
      expect([values, other].map(listeners)).toEqual([1, 1]);
      if (winner === 'values') endValues(winner);
      else if (winner === 'other') endOther(winner);
      else release(winner);
      expect(merged.cause()).toBe(winner);
      expect([values, other].map(listeners)).toEqual([0, 0]);
    }
  });

  test('merge lets go of its values although the request that it was merged with has finished before', () => {
    const [values] = up.api.withCancel(up.api.background());
    const [request] = down.api.withCancel(down.api.background());
    const [, release] = down.api.merge(values, request);
    down.spi.retire(request);
    expect(listeners(values)).toBe(1);
    release();
    expect(listeners(values)).toBe(0);
  });

  test('merge under one that has ended does not listen to the other', () => {
    const [values, cancel] = up.api.withCancel(up.api.background());
    const [other] = up.api.withCancel(up.api.background());
    cancel('why');
    const [merged] = down.api.merge(values, other);
    expect([merged.cause(), listeners(other)]).toEqual(['why', 0]);
  });

  test('work that still runs when the context ends is told as work under a cancelled one', async () => {
    const told: unknown[] = [];
    const nodes = new Set<ContextNode>();
    const stop = down.spi.subscribe({
      operationBegun: ({ name, node }) => {
        told.push(`begun ${name}`);
        if (node !== undefined) nodes.add(node);
      },
      contextEnded: (event) => {
        const { endingTwo, ending = endingTwo } = event as ContextEnded & { endingTwo?: Ending };
        if (nodes.has(event.node)) told.push(ending?.outcome);
      },
      operationSettled: ({ name }) => void told.push(`settled ${name}`),
    });
    const [ctx, cancel] = up.api.withCancel(up.api.background());
    await down.api.run(ctx, { name: 'in time' }, async () => undefined);
    const [promise, fulfil] = open();
    const late = down.api.track(ctx, promise, { name: 'late' });
    const sync = down.api.run(ctx, { name: 'sync' }, () => 42);
    cancel('why');
    fulfil(1);
    expect([await late, sync]).toEqual([1, 42]);
    stop();
    expect(told).toEqual([
      'begun in time',
      'settled in time',
      'completed',
      'begun late',
      'begun sync',
      'settled sync',
      'completed',
      'canceled',
      'settled late',
    ]);
    expect(listeners(ctx)).toBe(0);
  });

  test('as many contexts end as have started: whatever listened is counted once, at its end', async () => {
    let started = 0;
    let ended = 0;
    const stop = down.spi.subscribe({
      contextStarted: () => void started++,
      contextEnded: () => void ended++,
    });
    const [ctx, cancel] = up.api.withCancel(up.api.background());
    for (const begin of Object.values(verbs)) await begin(down.api, ctx).over();
    expect(started).toBeGreaterThan(0);
    expect(ended).toBe(started);
    const left = Object.values(verbs).map((begin) => begin(down.api, ctx));
    cancel();
    await Promise.all(left.map(({ over }) => over()));
    stop();
    expect(ended).toBe(started);
  });
});
