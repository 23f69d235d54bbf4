import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { context, createContextKey, ROOT_CONTEXT } from '@opentelemetry/api';
import {
  active,
  background,
  group,
  onEnd,
  run,
  scope,
  track,
  withCancel,
  withSignal,
  withTimeout,
  type CancelContext,
} from '@curfew/context';
import { end, setEnforcement, subscribe, withLimit } from '@curfew/context/spi';
import { getEventListeners, once } from 'node:events';
import { useManualClock } from '../../../test/manual-clock';

/** A promise settled from outside. */
function deferred<T = void>() {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

beforeAll(() => context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable()));
afterAll(() => context.disable());

let outcomes: [string | undefined, string][];
let unsubscribe: () => void;
beforeEach(() => {
  outcomes = [];
  unsubscribe = subscribe({
    contextEnded: ({ node, ending: { outcome } }) => void outcomes.push([node.name, outcome]),
  });
});
afterEach(() => unsubscribe());

describe('scope', () => {
  test('rejects as soon as its context ends, while fn goes on and its late rejection harms nobody', async () => {
    const { clock, restore } = useManualClock();
    const late = deferred<number>();
    const result = scope({ timeout: 20, name: 'price' }, () => late.promise);
    clock.advance(20);
    await expect(result).rejects.toMatchObject({
      name: 'TimeoutError',
      message: 'context deadline exceeded',
    });
    late.reject(new Error('nobody listens any more'));
    await new Promise((resolve) => setImmediate(resolve));
    restore();
    expect(outcomes).toEqual([['price', 'deadline_exceeded']]);
  });

  test('rejects with the deadline that has passed by the clock, even when fn settled first', async () => {
    const { clock, restore } = useManualClock();
    const result = scope({ timeout: 20 }, () => {
      clock.block(25);
      return Promise.resolve('late');
    });
    await expect(result).rejects.toMatchObject({ name: 'TimeoutError' });
    restore();
  });

  test('makes its context active through every await and releases it', async () => {
    let inner: CancelContext | undefined;
    const value = await scope({ name: 'outer' }, async (ctx) => {
      inner = ctx;
      await Promise.resolve();
      expect(active()).toBe(ctx);
      return scope({ name: 'inner' }, () => active().err());
    });
    expect(value).toBeUndefined();
    expect(inner?.signal.aborted).toBe(true);
    expect(outcomes).toEqual([
      ['inner', 'completed'],
      ['outer', 'completed'],
    ]);
  });

  test('takes a parent, a signal and the earlier of timeout and deadline', async () => {
    const controller = new AbortController();
    const [parent] = withTimeout(background(), 500);
    const seen = scope(
      parent,
      { signal: controller.signal, timeout: 400, deadline: Date.now() + 100 },
      (ctx) => {
        expect(ctx.remaining()).toBeLessThanOrEqual(100);
        return new Promise(() => undefined);
      },
    );
    controller.abort('enough');
    await expect(seen).rejects.toMatchObject({ name: 'AbortError', cause: 'enough' });
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
  });

  test('under a context that has ended, rejects without calling fn', async () => {
    const [parent, cancel] = withCancel(background());
    cancel('gone');
    const fn = jest.fn();
    await expect(scope(parent, {}, fn)).rejects.toBe(parent.err());
    expect(fn).not.toHaveBeenCalled();
  });

  test('refuses bad input at once, by name', () => {
    const fn = () => undefined;
    expect(() => scope({ timeout: NaN }, fn)).toThrow(/options\.timeout must be/);
    expect(() => scope({ signal: {} as AbortSignal }, fn)).toThrow(/options\.signal must be an AbortSignal/);
    expect(() => scope({ deadline: new Date(NaN) }, fn)).toThrow(/options\.deadline/);
    expect(() => scope({}, undefined as never)).toThrow(/fn must be a function/);
    expect(() => scope('x' as never, {}, fn)).toThrow(/parent must be an OpenTelemetry Context/);
    expect(() => scope(background() as never, fn)).toThrow(/options must be/);
    expect(outcomes).toEqual([]);
  });
});

describe('a release with work in its subtree', () => {
  test('is a cancellation by the caller while tracked work is unsettled', () => {
    for (const start of [
      (ctx: CancelContext) => void track(ctx, new Promise(() => undefined)),
      (ctx: CancelContext) => void run(ctx, () => new Promise(() => undefined)),
      (ctx: CancelContext) =>
        void run(withCancel(ctx, { name: 'child' })[0], () => new Promise(() => undefined)),
    ]) {
      outcomes = [];
      const [ctx, cancel] = withCancel(background(), { name: 'parent' });
      start(ctx);
      cancel();
      expect(outcomes[0]).toEqual(['parent', 'canceled']);
    }
  });

  test('is completed when only the caller itself and what it runs in are unsettled', async () => {
    const [ctx, cancel] = withCancel(background(), { name: 'parent' });
    await run(ctx, () =>
      run(ctx, async () => {
        await Promise.resolve();
        cancel();
      }),
    );
    expect(outcomes).toEqual([['parent', 'completed']]);
  });

  test('is completed when the work has settled, and listeners, signals and spans do not count', async () => {
    const [ctx, cancel] = withCancel(background(), { name: 'parent' });
    await track(ctx, Promise.resolve());
    onEnd(ctx, () => undefined);
    ctx.signal.addEventListener('abort', () => undefined);
    cancel();
    expect(outcomes).toEqual([['parent', 'completed']]);
  });

  test('a tracked promise is never the caller', async () => {
    const [ctx, cancel] = withCancel(background(), { name: 'parent' });
    const gate = deferred();
    const work = track(
      ctx,
      gate.promise.then(() => cancel()),
    );
    gate.resolve();
    await work;
    expect(outcomes).toEqual([['parent', 'canceled']]);
  });

  test('is a cancellation where the caller runs beside other work, under the same context or under another', () => {
    for (const beside of [true, false]) {
      outcomes = [];
      const [ctx, cancel] = withCancel(background(), { name: 'parent' });
      const [other] = withCancel(background());
      void track(ctx, new Promise(() => undefined));
      run(beside ? ctx : other, () => cancel());
      expect(outcomes[0]).toEqual(['parent', 'canceled']);
    }
  });

  test('that nobody hears of tells no delivery', () => {
    const delivered = jest.fn();
    const stop = subscribe({ cancellationDelivered: delivered });
    withCancel(background())[1]();
    expect(delivered).not.toHaveBeenCalled();
    const [ctx, cancel] = withCancel(background());
    onEnd(ctx, () => undefined);
    cancel();
    stop();
    expect(delivered).toHaveBeenCalledTimes(1);
  });

  test('is completed from a timer that the work itself started, which nothing tells from what follows an await', async () => {
    const [ctx, cancel] = withCancel(background(), { name: 'parent' });
    const released = deferred();
    void run(ctx, () => {
      setTimeout(() => {
        cancel();
        released.resolve();
      }, 0);
      return new Promise(() => undefined);
    });
    await released.promise;
    expect(outcomes).toEqual([['parent', 'completed']]);
  });

  test('is a cancellation from a timer that was started beside the work, and from any that says why', async () => {
    for (const where of ['beside', 'within'] as const) {
      outcomes = [];
      const [ctx, cancel] = withCancel(background(), { name: 'parent' });
      const released = deferred();
      const giveUp = () =>
        setTimeout(() => {
          cancel(where === 'within' ? 'given up' : undefined);
          released.resolve();
        }, 0);
      if (where === 'beside') giveUp();
      void run(ctx, () => {
        if (where === 'within') giveUp();
        return new Promise(() => undefined);
      });
      await released.promise;
      expect(outcomes).toEqual([['parent', 'canceled']]);
    }
  });

  test('without a ContextManager the synchronous part of a caller is recognised', () => {
    context.disable();
    const [ctx, cancel] = withCancel(background(), { name: 'parent' });
    run(ctx, () => cancel());
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    expect(outcomes).toEqual([['parent', 'completed']]);
  });
});

describe('run', () => {
  test('returns what fn returns: a derived promise for a native one, other thenables untouched', async () => {
    const [ctx] = withCancel(background());
    const then = jest.fn();
    const thenable = { then };
    expect(run(ctx, () => thenable)).toBe(thenable);
    expect(then).not.toHaveBeenCalled();
    expect(run(ctx, () => 7)).toBe(7);
    await expect(run(ctx, () => Promise.reject(new Error('own')))).rejects.toThrow('own');
    expect(() =>
      run(ctx, () => {
        throw new Error('sync');
      }),
    ).toThrow('sync');
  });

  test('makes any OpenTelemetry context active, and tracks each call until it settles', async () => {
    const settled: string[] = [];
    const stop = subscribe({ operationSettled: ({ name, kind }) => void settled.push(`${name} ${kind}`) });
    const key = createContextKey('k');
    const [ctx] = withCancel(ROOT_CONTEXT.setValue(key, 1));
    const gate = deferred();
    const work = run(ctx, { name: 'load', kind: 'client' }, () => {
      expect(active().getValue(key)).toBe(1);
      return gate.promise;
    });
    expect(settled).toEqual([]);
    gate.resolve();
    await work;
    stop();
    expect(settled).toEqual(['load client']);
  });
});

describe('observe mode', () => {
  let told: string[];
  let undo: () => void;
  beforeEach(() => {
    told = [];
    const enforce = setEnforcement(false);
    const stop = subscribe({
      cancellationObserved: ({ node, reason, origin }) => void told.push(`${node.name} ${reason} ${origin}`),
    });
    undo = () => {
      stop();
      enforce();
    };
  });
  afterEach(() => undo());

  test('records the ends and limits that Curfew adds and carries none of them out', async () => {
    const { clock, restore } = useManualClock();
    const [request] = withLimit(background(), 20, { name: 'limited' });
    const [left] = withCancel(background(), { name: 'left' });
    const late = deferred<string>();
    const work = run(request, async () => `${await late.promise} ${active().remaining()}`);
    clock.advance(30);
    end(left, { origin: 'client_disconnect', cause: new Error('socket closed'), automatic: true });
    late.resolve('done');
    expect(await work).toBe('done Infinity');
    restore();
    for (const ctx of [request, left]) expect([ctx.err(), ctx.signal.aborted]).toEqual([undefined, false]);
    expect(told).toEqual(['limited deadline_exceeded deadline', 'left canceled client_disconnect']);
    expect(outcomes).toEqual([['left', 'completed']]);
  });

  test.each<[string, () => unknown, [string | undefined, string][]]>([
    [
      'a cancel',
      () => withCancel(background(), { name: 'job' })[1](new Error('stop')),
      [['job', 'canceled']],
    ],
    [
      'a timeout',
      () =>
        scope({ timeout: 1, name: 'price' }, ({ signal }) => once(signal, 'abort')).catch(() => undefined),
      [['price', 'deadline_exceeded']],
    ],
    [
      'a timeout under a limit that is only told',
      () => {
        const [request, release] = withLimit(background(), 0, { name: 'request' });
        const options = { timeout: 1, name: 'price' };
        const work = scope(request, options, ({ signal }) => once(signal, 'abort')).catch(() => undefined);
        return work.finally(release);
      },
      [
        ['price', 'deadline_exceeded'],
        ['request', 'completed'],
      ],
    ],
    [
      'a signal',
      () => withSignal(background(), AbortSignal.abort(), { name: 'button' }),
      [['button', 'canceled']],
    ],
    [
      "a group's first error",
      () => {
        const [tasks] = group(withCancel(background(), { name: 'request' })[0]);
        tasks.go(() => Promise.reject(new Error('failed')));
        return tasks.wait().catch(() => undefined);
      },
      [[undefined, 'canceled']],
    ],
    [
      'an end of an adapter that the program asked for',
      () => end(withCancel(background(), { name: 'rpc' })[0], { origin: 'caller', cause: 'chosen' }),
      [['rpc', 'canceled']],
    ],
  ])('%s of the program itself is carried out as ever', async (_, act, expected) => {
    await act();
    expect(outcomes).toEqual(expected);
    expect(told.filter((line) => !line.startsWith('request '))).toEqual([]);
  });
});
