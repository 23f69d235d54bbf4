import {
  afterFunc,
  background,
  isCanceled,
  onEnd,
  withCancel,
  withSignal,
  withTimeout,
} from '@curfew/context';
import { context, createContextKey } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { AsyncLocalStorage } from 'node:async_hooks';
import { getEventListeners } from 'node:events';
import { row } from './row';
import { deferred, manualClock, registrations, spawned, turn } from './support';

const clock = manualClock();
beforeAll(() => context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable()));
afterAll(() => context.disable());

row('G88', 'called after the cancel and not before; stop is then false', async () => {
  const [ctx, cancel] = withCancel(background());
  const called = jest.fn();
  const stop = afterFunc(ctx, called);
  await turn();
  expect(called).not.toHaveBeenCalled();
  cancel();
  await turn();
  expect(called).toHaveBeenCalledTimes(1);
  expect(stop()).toBe(false);
});

row('G89', 'called after the deadline', async () => {
  const [ctx] = withTimeout(background(), 50);
  const called = jest.fn();
  const stop = afterFunc(ctx, called);
  clock.advance(50);
  await turn();
  expect(called).toHaveBeenCalledTimes(1);
  expect(stop()).toBe(false);
});

row(
  'G90',
  'on a context that is done: called in a turn of its own, never inline; stop is false at once',
  async () => {
    const [ctx, cancel] = withCancel(background());
    cancel();
    const called = jest.fn();
    const stop = afterFunc(ctx, called);
    expect(called).not.toHaveBeenCalled();
    expect(stop()).toBe(false);
    await turn();
    expect(called).toHaveBeenCalledTimes(1);
  },
);

row('G91', 'stopped before the cancel: true, then false, and never called', async () => {
  const [ctx, cancel] = withCancel(background());
  const called = jest.fn();
  const stop = afterFunc(ctx, called);
  expect([stop(), stop()]).toEqual([true, false]);
  cancel();
  await turn();
  expect(called).not.toHaveBeenCalled();
  expect(stop()).toBe(false);
});

row('G92', 'cancel() does not wait: the function runs in a later microtask', async () => {
  const [ctx, cancel] = withCancel(background());
  const said: string[] = [];
  afterFunc(ctx, () => said.push('f'));
  cancel();
  said.push('cancel returned');
  await Promise.resolve();
  expect(said).toEqual(['cancel returned', 'f']);
});

row('G93', 'registrations are independent: the same function registered twice runs twice', async () => {
  const [ctx, cancel] = withCancel(background());
  const called = jest.fn();
  afterFunc(ctx, called);
  const stop = afterFunc(ctx, called);
  afterFunc(ctx, called);
  stop();
  cancel();
  await turn();
  expect(called).toHaveBeenCalledTimes(2);
});

row('G94', 'stop does not wait for a call under way', async () => {
  const [ctx, cancel] = withCancel(background());
  const gate = deferred();
  let finished = false;
  const stop = afterFunc(ctx, async () => {
    await gate.promise;
    finished = true;
  });
  cancel();
  await turn();
  expect([stop(), finished]).toEqual([false, false]);
  gate.resolve();
  await turn();
  expect(finished).toBe(true);
});

row('G95', 'called at most once, however stop and cancel race', async () => {
  // Stopped by a listener in the same pass, before its own turn in it, and after it, while it waits for its turn.
  const results: unknown[] = [];
  for (const when of ['before', 'after'] as const) {
    const [ctx, cancel] = withCancel(background());
    const called = jest.fn();
    const box: { stop?: () => boolean } = {};
    const race = () => results.push(when, box.stop?.());
    if (when === 'before') onEnd(ctx, race);
    box.stop = afterFunc(ctx, called);
    if (when === 'after') onEnd(ctx, race);
    cancel();
    cancel();
    await turn();
    results.push(called.mock.calls.length);
  }
  expect(results).toEqual(['before', true, 0, 'after', false, 1]);
});

row('G96', 'stop removes the registration', () => {
  const [ctx] = withCancel(background());
  const stop = afterFunc(ctx, () => undefined);
  expect(registrations(ctx)).toBe(1);
  stop();
  expect(registrations(ctx)).toBe(0);
});

row('G97', 'a throw is an uncaught exception, a rejection an unhandled one; nothing is swallowed', () => {
  const crash = (body: string) =>
    spawned(`
      const [ctx, cancel] = c.withCancel(c.background());
      c.afterFunc(ctx, ${body});
      cancel();
      console.log('returned');
    `);
  const thrown = crash(`() => { throw new Error('thrown'); }`);
  expect([thrown.status, thrown.lines]).toEqual([1, ['returned']]);
  expect(thrown.stderr).toContain('Error: thrown');
  const rejected = crash(`async () => { throw new Error('rejected'); }`);
  expect([rejected.status, rejected.lines]).toEqual([1, ['returned']]);
  expect(rejected.stderr).toContain('Error: rejected');
  const told = spawned(`
    process.on('uncaughtException', (error, origin) => console.log(origin, error.message));
    const [ctx, cancel] = c.withCancel(c.background());
    c.afterFunc(ctx, () => { throw new Error('thrown'); });
    c.afterFunc(ctx, async () => { throw new Error('rejected'); });
    cancel();
  `);
  expect(told.lines).toEqual(['uncaughtException thrown', 'unhandledRejection rejected']);
});

row(
  'G98',
  'a foreign signal: one listener for each live child, none after a cancel or its own abort',
  async () => {
    const controller = new AbortController();
    const listeners = () => getEventListeners(controller.signal, 'abort').length;
    const [first, cancelFirst] = withSignal(background(), controller.signal);
    const [second] = withSignal(background(), controller.signal);
    const called = jest.fn();
    const stop = afterFunc(first, called);
    const [below, cancelBelow] = withTimeout(second, 1e6);
    expect([listeners(), stop()]).toEqual([2, true]);
    cancelBelow();
    expect(listeners()).toBe(2);
    cancelFirst();
    expect(listeners()).toBe(1);
    afterFunc(second, called);
    controller.abort('gone');
    await turn();
    expect(listeners()).toBe(0);
    expect([second.cause(), isCanceled(below.err()), called.mock.calls.length]).toEqual(['gone', true, 1]);
  },
);

/** Who is active, by OpenTelemetry and by an AsyncLocalStorage of the user's own, in callbacks of either kind. */
async function activeInCallbacks(): Promise<{ otel: unknown[]; own: unknown[] }> {
  const key = createContextKey('who');
  const own = new AsyncLocalStorage<string>();
  const seen: { otel: unknown[]; own: unknown[] } = { otel: [], own: [] };
  const look = () => {
    seen.otel.push(context.active().getValue(key));
    seen.own.push(own.getStore());
  };
  const as = (who: string, fn: () => void) =>
    own.run(who, () => context.with(context.active().setValue(key, who), fn));
  const [ctx, cancel] = withCancel(background());
  as('registrar', () => {
    afterFunc(ctx, look);
    onEnd(ctx, look);
  });
  as('canceller', () => cancel());
  await turn();
  return seen;
}

row(
  'G99',
  'a callback runs in the OpenTelemetry and AsyncLocalStorage context of its registration',
  async () => {
    expect(await activeInCallbacks()).toEqual({
      otel: ['registrar', 'registrar'],
      own: ['registrar', 'registrar'],
    });
  },
  async () => {
    expect(await activeInCallbacks()).toEqual({
      otel: ['registrar', 'registrar'],
      own: ['canceller', 'canceller'],
    });
  },
);

row('G100', 'on a root it is never called, and stop is true once', () => {
  const stop = afterFunc(background(), () => {
    throw new Error('called');
  });
  expect([stop(), stop()]).toEqual([true, false]);
});
