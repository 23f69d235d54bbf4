import {
  afterFunc,
  background,
  onEnd,
  race,
  withCancel,
  withDeadline,
  withSignal,
  withTimeout,
  type CancelContext,
  type Context,
} from '@curfew/context';
import { nodeOf } from '@curfew/context/spi';
import { row } from './row';
import { manualClock, spawned, thrown, turn } from './support';

const clock = manualClock();

row('J1', 'a listener that throws stops neither the cancel nor the others, and surfaces once', () => {
  const { lines, status } = spawned(`
    process.on('uncaughtException', (error) => console.log('uncaught', error.message));
    const [parent, cancel] = c.withCancel(c.background());
    const [child] = c.withCancel(parent);
    const fail = (name) => () => { throw new Error(name); };
    parent.signal.addEventListener('abort', fail('event'));
    c.onEnd(parent, fail('callback'));
    for (const ctx of [parent, child]) c.onEnd(ctx, () => console.log('told'));
    child.signal.addEventListener('abort', () => console.log('event'));
    cancel();
    console.log('returned');
  `);
  expect(lines).toEqual(['event', 'told', 'told', 'returned', 'uncaught event', 'uncaught callback']);
  expect(status).toBe(0);
});

row('J2', 'a cancel in a listener: none for the same node, at once for another branch', () => {
  const [a, cancelA] = withCancel(background());
  const [b, cancelB] = withCancel(background());
  const said: string[] = [];
  onEnd(a, () => {
    cancelA('again');
    cancelB('b');
    said.push(`a1 ${b.err() !== undefined}`);
  });
  onEnd(a, () => said.push('a2'));
  onEnd(b, () => said.push('b'));
  cancelA('a');
  expect([said, a.cause()]).toEqual([['b', 'a1 true', 'a2'], 'a']);
});

row(
  'J3',
  'a callback registered during the pass runs in a later turn; one removed during it is not called',
  async () => {
    const [ctx, cancel] = withCancel(background());
    const said: string[] = [];
    const box: { stop?: () => boolean } = {};
    onEnd(ctx, () => {
      onEnd(ctx, () => said.push('late'));
      box.stop?.();
    });
    box.stop = onEnd(ctx, () => said.push('removed'));
    onEnd(ctx, () => said.push('last'));
    cancel();
    said.push('returned');
    await turn();
    expect(said).toEqual(['last', 'returned', 'late']);
  },
);

row('J4', 'the reason is one error by name and message, with the cause of the user one hop away', () => {
  const cause = { code: 7 };
  const [canceled, cancel] = withCancel(background());
  cancel(cause);
  const [timed] = withTimeout(background(), 0, { cause });
  expect(canceled.signal.reason).toMatchObject({ name: 'AbortError', message: 'context canceled' });
  expect(timed.signal.reason).toMatchObject({ name: 'TimeoutError', message: 'context deadline exceeded' });
  for (const ctx of [canceled, timed]) {
    expect(ctx.signal.reason).toBe(ctx.err());
    expect((ctx.signal.reason as Error).cause).toBe(cause);
    expect(ctx.cause()).toBe(cause);
  }
});

row('J5', 'listeners first, then the cancel returns, then promises', async () => {
  const [ctx, cancel] = withCancel(background());
  const said: string[] = [];
  const raced = race(ctx, new Promise(() => undefined)).catch(() => said.push('promise'));
  ctx.signal.addEventListener('abort', () => said.push('event'));
  onEnd(ctx, () => said.push('callback'));
  cancel();
  said.push('returned');
  await raced;
  expect(said).toEqual(['event', 'callback', 'returned', 'promise']);
});

row('J6', 'stopImmediatePropagation stops neither our own tree nor what hangs on a foreign signal', () => {
  const controller = new AbortController();
  const stop = (event: Event) => event.stopImmediatePropagation();
  controller.signal.addEventListener('abort', stop);
  const [ctx] = withSignal(background(), controller.signal);
  ctx.signal.addEventListener('abort', stop);
  const [child] = withCancel(ctx);
  const told = jest.fn();
  onEnd(child, told);
  controller.abort('why');
  expect([child.cause(), child.signal.aborted, told.mock.calls.length]).toEqual(['why', true, 1]);
});

row('J7', 'a forged event ends nothing, and the true one is still heard', () => {
  const controller = new AbortController();
  const [ctx] = withSignal(background(), controller.signal);
  controller.signal.dispatchEvent(new Event('abort'));
  controller.signal.dispatchEvent(new Event('abort'));
  expect(ctx.err()).toBeUndefined();
  controller.abort('true');
  expect(ctx.cause()).toBe('true');
  const [own] = withCancel(background());
  own.signal.dispatchEvent(new Event('abort'));
  expect([own.err(), own.signal.aborted]).toEqual([undefined, false]);
});

row(
  'J8',
  'nothing that Curfew makes by itself rejects: cancelled contexts without a handler harm no process',
  () => {
    const { status, stderr } = spawned(`
    for (const make of [
      () => c.withCancel(c.background()),
      () => c.withTimeout(c.background(), 0),
      () => c.withSignal(c.background(), AbortSignal.abort('x')),
      () => c.merge(c.withCancel(c.background())[0], c.withTimeout(c.background(), 0)[0]),
    ]) {
      const [ctx, cancel] = make();
      void ctx.signal;
      c.onEnd(ctx, () => undefined);
      c.afterFunc(ctx, () => undefined);
      c.group(ctx);
      cancel(new Error('cause'));
    }
  `);
    expect([status, stderr]).toEqual([0, '']);
  },
);

row(
  'J9',
  'whoever looks first settles, synchronously: err, cause, throwIfDone, remaining, every derivation, cancel',
  () => {
    const looks: Record<string, (ctx: CancelContext, cancel: () => void) => unknown> = {
      err: (ctx) => ctx.err(),
      cause: (ctx) => ctx.cause(),
      throwIfDone: (ctx) => thrown(() => ctx.throwIfDone()),
      remaining: (ctx) => ctx.remaining(),
      signal: (ctx) => ctx.signal,
      withCancel: (ctx) => withCancel(ctx),
      withTimeout: (ctx) => withTimeout(ctx, 1e6),
      withDeadline: (ctx) => withDeadline(ctx, new Date(clock.wallNow() + 1e6)),
      withSignal: (ctx) => withSignal(ctx, new AbortController().signal),
      onEnd: (ctx) => onEnd(ctx, () => undefined),
      cancel: (_, cancel) => cancel(),
    };
    for (const [name, look] of Object.entries(looks)) {
      const [ctx, cancel] = withTimeout(background(), 50);
      const told = jest.fn();
      const { signal } = ctx;
      signal.addEventListener('abort', told);
      clock.block(60);
      expect([name, signal.aborted, told.mock.calls.length]).toEqual([name, false, 0]);
      look(ctx, cancel);
      expect([name, signal.aborted, told.mock.calls.length]).toEqual([name, true, 1]);
      expect(ctx.err()).toMatchObject({ name: 'TimeoutError' });
    }
  },
);

row('J10', 'what is added to a list while it is gone through is not visited in that pass', async () => {
  const [ctx, cancel] = withCancel(background());
  const said: number[] = [];
  const add = (n: number) => () => {
    said.push(n);
    if (n < 5) onEnd(ctx, add(n + 1));
    // Nor is a child.
    withCancel(ctx);
  };
  onEnd(ctx, add(0));
  cancel();
  expect([said, nodeOf(ctx)?.firstChild]).toEqual([[0], undefined]);
  await turn();
  expect(said).toEqual([0, 1, 2, 3, 4, 5]);
});

row(
  'J11',
  'a hundred thousand levels end without overflowing the stack, with a listener and a signal on each',
  () => {
    const [top, cancel] = withCancel(background());
    let ctx: Context = top;
    let told = 0;
    const count = () => void told++;
    for (let depth = 0; depth < 100_000; depth++) {
      [ctx] = withCancel(ctx);
      onEnd(ctx, count);
      if (depth % 100 === 0) ctx.signal?.addEventListener('abort', count);
    }
    afterFunc(ctx, () => undefined);
    cancel('why');
    expect([told, ctx.cause()]).toEqual([101_000, 'why']);
  },
);
