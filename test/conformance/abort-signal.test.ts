import {
  afterFunc,
  background,
  isDeadlineExceeded,
  merge,
  onEnd,
  reasonOf,
  withCancel,
  withSignal,
  withTimeout,
  type CancelContext,
} from '@curfew/context';
import { row } from './row';
import { manualClock, thrown, turn } from './support';

manualClock();

row('S1', 'a fresh signal is not aborted and has a reason, which is undefined', () => {
  const { signal } = withCancel(background())[0];
  expect(Object.prototype.toString.call(signal)).toBe('[object AbortSignal]');
  expect([signal.aborted, 'reason' in signal, signal.reason]).toEqual([false, true, undefined]);
});

row('S2', 'the abort event is fired before cancel() returns', () => {
  const [{ signal }, cancel] = withCancel(background());
  const said: string[] = [];
  signal.addEventListener('abort', () => said.push('event'));
  cancel();
  said.push('returned');
  expect(said).toEqual(['event', 'returned']);
});

row('S3', 'the signal is one object for ever', () => {
  const [ctx, cancel] = withCancel(background());
  const { signal } = ctx;
  expect(ctx.signal).toBe(signal);
  cancel();
  expect(ctx.signal).toBe(signal);
});

row('S4', 'a second cancel does nothing: the handler is called once', () => {
  const [{ signal }, cancel] = withCancel(background());
  const handler = jest.fn();
  signal.onabort = handler;
  cancel('first');
  cancel('second');
  expect(handler).toHaveBeenCalledTimes(1);
  expect(signal.reason.cause).toBe('first');
});

row('S5', 'a handler added after the end is never called; onEnd and afterFunc cover that case', async () => {
  const [ctx, cancel] = withCancel(background());
  cancel();
  const never = jest.fn();
  const said: string[] = [];
  ctx.signal.addEventListener('abort', never);
  onEnd(ctx, () => said.push('onEnd'));
  afterFunc(ctx, () => said.push('afterFunc'));
  await turn();
  expect(never).not.toHaveBeenCalled();
  expect(said).toEqual(['onEnd', 'afterFunc']);
});

row('S6', 'the event is abort on the signal itself, does not bubble, and is trusted', () => {
  const [{ signal }, cancel] = withCancel(background());
  const events: Event[] = [];
  signal.addEventListener('abort', (event) => events.push(event));
  cancel();
  expect(events).toHaveLength(1);
  const [{ type, target, bubbles, isTrusted }] = events as [Event];
  expect([type, target === signal, bubbles, isTrusted]).toEqual(['abort', true, false, true]);
});

row('S7', 'the reason is one object for the whole subtree', () => {
  const [ctx, cancel] = withCancel(background());
  const below = [withCancel(ctx)[0], withTimeout(withCancel(ctx)[0], 1e6)[0]];
  const made = below[0]?.signal;
  cancel(new Error('why'));
  expect(below.map(({ signal }) => signal.reason === ctx.signal.reason)).toEqual([true, true]);
  expect(made?.reason).toBe(ctx.err());
});

row('S8', 'without a cause the reason is an AbortError too, and none that the platform had to make', () => {
  const [{ signal }, cancel] = withCancel(background());
  cancel();
  expect(signal.reason).toMatchObject({ name: 'AbortError', code: 'ABORT_ERR', message: 'context canceled' });
  expect(Object.prototype.toString.call(signal.reason)).toBe('[object Error]');
});

row('S9', 'null and undefined are no cause; 0, the empty string and false are kept', () => {
  const causes = [null, undefined, 0, '', false].map((given) => {
    const [ctx, cancel] = withCancel(background());
    cancel(given);
    return [ctx.cause() === ctx.err() ? 'none' : ctx.cause(), 'cause' in (ctx.err() as Error)];
  });
  expect(causes).toEqual([
    ['none', false],
    ['none', false],
    [0, true],
    ['', true],
    [false, true],
  ]);
});

row('S10', 'under a parent that has ended the signal is born aborted and never fires', async () => {
  const [parent, cancel] = withCancel(background());
  cancel();
  const [{ signal }, cancelChild] = withCancel(parent);
  const never = jest.fn();
  expect(signal.aborted).toBe(true);
  signal.addEventListener('abort', never);
  cancelChild();
  await turn();
  expect(never).not.toHaveBeenCalled();
});

row('S11', 'throwIfAborted and throwIfDone throw the very reason, and nothing before the end', () => {
  const [ctx, cancel] = withCancel(background());
  expect(() => ctx.signal.throwIfAborted()).not.toThrow();
  expect(() => ctx.throwIfDone()).not.toThrow();
  cancel('primitive');
  expect(thrown(() => ctx.signal.throwIfAborted())).toBe(ctx.signal.reason);
  expect(thrown(() => ctx.throwIfDone())).toBe(ctx.signal.reason);
});

row('S12', 'the reason is the same object each time', () => {
  const [{ signal }, cancel] = withCancel(background());
  cancel();
  expect(signal.reason).toBe(signal.reason);
});

row('S13', 'merged with a context that never ends, it is a plain child', () => {
  const [ctx] = merge(background(), background());
  expect(ctx.signal.aborted).toBe(false);
  const [parent, cancel] = withCancel(background());
  const [child] = merge(parent, background());
  cancel('why');
  expect(child.cause()).toBe('why');
});

row('S14', 'a child has a signal of its own, which follows; it is the target of its event', () => {
  const [parent, cancel] = withCancel(background());
  const [child] = withCancel(parent);
  const targets: unknown[] = [];
  child.signal.addEventListener('abort', ({ target }) => targets.push(target));
  expect(child.signal).not.toBe(parent.signal);
  cancel();
  expect([targets[0] === child.signal, child.signal.reason === parent.signal.reason]).toEqual([true, true]);
});

/** Two contexts and what is merged of them. */
function merged() {
  const [a, cancelA] = withCancel(background());
  const [b, cancelB] = withCancel(background());
  return { ctx: merge(a, b)[0], a, b, cancelA, cancelB };
}

row('S15', 'a merged context ends with whichever ends first, for its reason', () => {
  const first = merged();
  first.cancelA('a');
  first.cancelB('b');
  const second = merged();
  second.cancelB('b');
  second.cancelA('a');
  const [timed] = merge(withCancel(background())[0], withTimeout(background(), 0)[0]);
  expect([first.ctx.cause(), second.ctx.cause(), reasonOf(timed.err())]).toEqual([
    'a',
    'b',
    'deadline_exceeded',
  ]);
});

row('S16', 'of inputs that have ended already, the first in order counts', () => {
  const { a, b, cancelA, cancelB } = merged();
  cancelB('b');
  cancelA('a');
  expect([merge(a, b)[0].cause(), merge(b, a)[0].cause()]).toEqual(['a', 'b']);
});

row('S17', 'the same input twice is one input', () => {
  const { a, cancelA } = merged();
  const [ctx] = merge(a, a);
  const told = jest.fn();
  onEnd(ctx, told);
  cancelA('a');
  expect([ctx.cause(), told.mock.calls.length]).toEqual(['a', 1]);
});

row('S18', 'merged contexts can be merged, and chains of single ones work', () => {
  for (const pick of [0, 1, 2]) {
    const [a, b, c] = Array.from({ length: 3 }, () => withCancel(background()));
    const inputs = [a, b, c] as [CancelContext, (cause: string) => void][];
    const [both] = merge(inputs[0]![0], inputs[1]![0]);
    let [ctx] = merge(both, inputs[2]![0]);
    for (let depth = 0; depth < 100; depth++) [ctx] = withCancel(ctx);
    inputs[pick]![1](`input ${pick}`);
    expect([ctx.signal.aborted, ctx.cause()]).toEqual([true, `input ${pick}`]);
  }
});

row('S19', 'AbortSignal.timeout can be an input; its TimeoutError reads as a deadline', async () => {
  const native = AbortSignal.timeout(1);
  const [ctx] = withSignal(background(), native);
  const ended = new Promise<void>((resolve) => onEnd(ctx, resolve));
  // Its timer keeps no process alive, nor this one.
  const alive = setInterval(() => undefined, 1000);
  await ended;
  clearInterval(alive);
  expect([isDeadlineExceeded(ctx.err()), ctx.cause() === native.reason]).toEqual([true, true]);
  expect(ctx.signal.reason).toMatchObject({ name: 'TimeoutError' });
  expect(native.reason).toMatchObject({ name: 'TimeoutError', code: 23 });
});
