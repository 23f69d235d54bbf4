import {
  afterFunc,
  background,
  isCanceled,
  onEnd,
  withCancel,
  withSignal,
  withTimeout,
  type Cancel,
  type CancelContext,
} from '@curfew/context';
import { end, endingOf, nodeOf, retire, subscribe, takeRefusal } from '@curfew/context/spi';
import { spawnSync } from 'node:child_process';
import { getEventListeners } from 'node:events';

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

describe('mark, then notify', () => {
  test('a listener sees the whole subtree done, and a context derived in it is born done', () => {
    const [a, cancel] = withCancel(background());
    const [b] = withCancel(a);
    const [c] = withCancel(b);
    const seen: unknown[] = [];
    onEnd(a, () => {
      const [born] = withCancel(c);
      seen.push(b.err(), c.err(), born.err(), born.signal.aborted);
    });
    cancel('why');
    expect(seen).toEqual([a.err(), a.err(), a.err(), true]);
  });

  test('signals abort before callbacks are called, each in pre-order and insertion order', () => {
    const [root, cancel] = withCancel(background());
    const [left] = withCancel(root);
    const [leaf] = withCancel(left);
    const [right] = withCancel(root);
    const said: string[] = [];
    for (const [name, ctx] of Object.entries({ root, left, leaf, right })) {
      onEnd(ctx, () => said.push(`callback ${name}`));
      ctx.signal.addEventListener('abort', () => said.push(`signal ${name}`));
    }
    cancel();
    expect(said).toEqual([
      'signal root',
      'signal left',
      'signal leaf',
      'signal right',
      'callback root',
      'callback left',
      'callback leaf',
      'callback right',
    ]);
  });

  test('a signal first read inside a listener is aborted already, with the one reason of the cancellation', () => {
    const [a, cancel] = withCancel(background());
    const [b] = withCancel(a);
    let reason: unknown;
    onEnd(a, () => {
      reason = b.signal.reason;
    });
    cancel(new Error('x'));
    expect(reason).toBe(a.err());
    expect(a.signal.reason).toBe(reason);
    expect((reason as Error).cause).toBe(a.cause());
  });

  test('cancelling another branch inside a listener tells its listeners before the outer ones go on', () => {
    const [a, cancelA] = withCancel(background());
    const [b, cancelB] = withCancel(background());
    const said: string[] = [];
    onEnd(a, () => {
      said.push('a1');
      cancelB();
    });
    onEnd(a, () => said.push('a2'));
    onEnd(b, () => said.push('b'));
    cancelA();
    expect(said).toEqual(['a1', 'b', 'a2']);
  });

  test('a callback stopped by one that ran before it is not called', () => {
    const [ctx, cancel] = withCancel(background());
    let stopped: boolean | undefined;
    const second = jest.fn();
    const third = jest.fn();
    onEnd(ctx, () => {
      stopped = stop();
    });
    const stop = onEnd(ctx, second);
    onEnd(ctx, third);
    cancel();
    expect(stopped).toBe(true);
    expect(second).not.toHaveBeenCalled();
    expect(third).toHaveBeenCalledTimes(1);
    expect(stop()).toBe(false);
  });

  test('a million levels end without overflowing the stack', () => {
    const [top, cancel] = withCancel(background());
    let ctx = top;
    for (let depth = 0; depth < 1_000_000; depth++) [ctx] = withCancel(ctx);
    cancel();
    expect(isCanceled(ctx.err())).toBe(true);
    expect(nodeOf(top)?.firstChild).toBeUndefined();
  });

  test('a callback that throws harms no other and surfaces once as an uncaught exception', () => {
    const program = `
      const { background, withCancel, onEnd } = require('@curfew/context');
      const [ctx, cancel] = withCancel(background());
      process.on('uncaughtException', (error) => console.log('uncaught', error.message));
      onEnd(ctx, () => { throw new Error('mine'); });
      onEnd(ctx, () => console.log('second'));
      cancel();
      console.log('returned');
    `;
    const { stdout, status } = spawnSync(process.execPath, ['-e', program], {
      encoding: 'utf8',
      cwd: __dirname,
    });
    expect(stdout.trim().split('\n')).toEqual(['second', 'returned', 'uncaught mine']);
    expect(status).toBe(0);
  });
});

describe('callbacks', () => {
  test('afterFunc runs in a turn of its own; stop keeps it from running exactly once', async () => {
    const [ctx, cancel] = withCancel(background());
    const said: string[] = [];
    afterFunc(ctx, () => said.push('after'));
    const stop = afterFunc(ctx, () => said.push('stopped'));
    expect([stop(), stop()]).toEqual([true, false]);
    cancel();
    said.push('returned');
    await turn();
    expect(said).toEqual(['returned', 'after']);
  });

  test('on a context that has ended, a callback is called later and cannot be stopped', async () => {
    const [ctx, cancel] = withCancel(background());
    cancel();
    const late = jest.fn();
    const stop = onEnd(ctx, late);
    expect(stop()).toBe(false);
    expect(late).not.toHaveBeenCalled();
    await turn();
    expect(late).toHaveBeenCalledTimes(1);
  });

  test('on a root, stop succeeds once and the callback is never called', () => {
    const stop = onEnd(background(), () => undefined);
    expect([stop(), stop()]).toEqual([true, false]);
  });
});

describe('a foreign signal', () => {
  test('holds one listener for each live child and none after, however it ended', () => {
    const { signal } = new AbortController();
    const pairs = Array.from({ length: 20 }, () => withSignal(background(), signal));
    expect(getEventListeners(signal, 'abort')).toHaveLength(20);
    pairs.forEach(([, cancel], index) => (index % 2 === 0 ? cancel() : cancel('why')));
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });

  test('a forged abort event ends nothing; a TimeoutError reads as a deadline', () => {
    const controller = new AbortController();
    const [ctx] = withSignal(background(), controller.signal);
    controller.signal.dispatchEvent(new Event('abort'));
    expect(ctx.err()).toBeUndefined();
    controller.abort(new DOMException('late', 'TimeoutError'));
    expect(ctx.err()?.name).toBe('TimeoutError');
    expect((ctx.cause() as Error).message).toBe('late');
  });

  test('already aborted, it ends the context at birth', () => {
    const [ctx] = withSignal(background(), AbortSignal.abort('early'));
    expect(ctx.cause()).toBe('early');
  });
});

describe('outcomes', () => {
  let ends: { name: string | undefined; outcome: string; origin: string; retired: boolean; fanout: number }[];
  let unsubscribe: () => void;
  beforeEach(() => {
    ends = [];
    unsubscribe = subscribe({
      contextEnded({ node, ending }) {
        ends.push({
          name: node.name,
          outcome: ending.outcome,
          origin: ending.node === node || ending.node === undefined ? ending.origin : 'parent',
          retired: ending.retired,
          fanout: ending.fanout,
        });
      },
    });
  });
  afterEach(() => unsubscribe());

  const named = (name: string) => ({ name });

  test('each context ends once: the originating one first, its descendants with origin parent', () => {
    const [a, cancel] = withCancel(background(), named('a'));
    const [b, cancelB] = withCancel(a, named('b'));
    withTimeout(b, 1000, named('c'));
    cancel(new Error('x'));
    cancelB();
    cancel();
    expect(ends).toEqual([
      { name: 'a', outcome: 'canceled', origin: 'caller', retired: false, fanout: 2 },
      { name: 'b', outcome: 'canceled', origin: 'parent', retired: false, fanout: 2 },
      { name: 'c', outcome: 'canceled', origin: 'parent', retired: false, fanout: 2 },
    ]);
  });

  test('a release is completed, by dispose, by no cause, by null; and descendants share it', () => {
    const ways: ((cancel: Cancel) => void)[] = [
      (cancel) => cancel(),
      (cancel) => cancel(null),
      (cancel) => cancel[Symbol.dispose](),
    ];
    for (const release of ways) {
      ends = [];
      const [ctx, cancel] = withCancel(background());
      const [child] = withCancel(ctx);
      release(cancel);
      expect(ends.map(({ outcome }) => outcome)).toEqual(['completed', 'completed']);
      expect(isCanceled(ctx.err()) && child.err() === ctx.err() && ctx.signal.aborted).toBe(true);
    }
  });

  test('0, the empty string and false are causes', () => {
    for (const cause of [0, '', false]) {
      const [ctx, cancel] = withCancel(background());
      cancel(cause);
      expect(ctx.cause()).toBe(cause);
    }
    expect(ends.map(({ outcome }) => outcome)).toEqual(['canceled', 'canceled', 'canceled']);
  });

  test('the error of an end without a cause has none, and prints none', () => {
    const [ctx, cancel] = withCancel(background());
    cancel();
    expect(Object.hasOwn(ctx.err() as Error, 'cause')).toBe(false);
  });

  test('a context born done is never counted, and ends nothing', () => {
    const started = jest.fn();
    const [ctx, cancel] = withCancel(background());
    cancel('why');
    const stop = subscribe({ contextStarted: started });
    const [born, cancelBorn] = withTimeout(ctx, 1000);
    cancelBorn('other');
    stop();
    expect(born.cause()).toBe('why');
    expect(started).not.toHaveBeenCalled();
    expect(ends).toHaveLength(1);
  });

  test('a retired request is completed, never aborts, and lets its children go on without its deadline', () => {
    const [request] = withTimeout(background(), 1000, named('request'));
    const [child, cancelChild] = withCancel(request, named('child'));
    const [own] = withTimeout(request, 5000, named('own'));
    const told = jest.fn();
    onEnd(request, told);
    const { signal } = request;
    const stop = onEnd(request, told);
    retire(request);
    expect([stop(), stop()]).toEqual([true, false]);
    expect(ends).toEqual([
      { name: 'request', outcome: 'completed', origin: 'caller', retired: true, fanout: 0 },
    ]);
    expect([request.err(), signal.aborted, request.deadline(), child.deadline()]).toEqual([
      undefined,
      false,
      undefined,
      undefined,
    ]);
    // Its own deadline, which the request's had covered, counts again.
    expect(own.remaining()).toBeGreaterThan(1000);
    end(request, { origin: 'client_disconnect' });
    const [late] = withCancel(request);
    expect(late.err()).toBeUndefined();
    cancelChild('later');
    expect(child.cause()).toBe('later');
    expect(told).not.toHaveBeenCalled();
  });

  test('retired requests share one record of their end, until a refusal has to be counted for one of them', () => {
    const requests = Array.from({ length: 3 }, () => withTimeout(background(), 1000)[0]);
    for (const request of requests) retire(request);
    const [first, second, third] = requests.map((request) => endingOf(request));
    expect(first).toBe(second);
    expect(takeRefusal(requests[2] as CancelContext)).toBe(true);
    expect(endingOf(requests[2] as CancelContext)).not.toBe(third);
    expect(endingOf(requests[2] as CancelContext)).toMatchObject({ outcome: 'completed', retired: true });
    expect(requests.map((request) => request.err())).toEqual([undefined, undefined, undefined]);
  });

  test('an adapter ends a context with an origin of its own, canceled unless it says otherwise', () => {
    const given = [
      ['client_disconnect', undefined],
      ['remote_deadline', 'deadline_exceeded'],
      ['tenant_evicted', 'canceled'],
    ] as const;
    const contexts = given.map(([origin, reason]): CancelContext => {
      const [ctx] = withCancel(background(), named(origin));
      end(ctx, { origin, cause: origin, ...(reason !== undefined && { reason }) });
      return ctx;
    });
    expect(ends.map(({ outcome, origin }) => [outcome, origin])).toEqual([
      ['canceled', 'client_disconnect'],
      ['deadline_exceeded', 'remote_deadline'],
      ['canceled', 'tenant_evicted'],
    ]);
    expect(contexts.map((ctx) => ctx.cause())).toEqual(given.map(([origin]) => origin));
  });
});
