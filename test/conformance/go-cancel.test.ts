import {
  afterFunc,
  background,
  cleanup,
  from,
  group,
  isCanceled,
  merge,
  notifyContext,
  onEnd,
  race,
  run,
  scope,
  sleep,
  track,
  withCancel,
  withDeadline,
  withoutCancel,
  withSignal,
  withTimeout,
  withValue,
  type CancelContext,
} from '@curfew/context';
import { createContextKey, propagation, trace, type Context as OtelContext } from '@opentelemetry/api';
import { row } from './row';
import { deferred, expectTypeError, ForeignContext, manualClock, turn } from './support';

const clock = manualClock();
const span = trace.wrapSpanContext({ traceId: '1'.repeat(32), spanId: '2'.repeat(16), traceFlags: 1 });

/** What other libraries make of a context. */
const wrappers = (ctx: OtelContext): OtelContext[] => [
  trace.setSpan(ctx, span),
  propagation.setBaggage(ctx, propagation.createBaggage()),
  new ForeignContext(ctx),
  new ForeignContext(ctx).setValue(createContextKey('theirs'), 1),
];

row('G5', 'the name of a child is that of its parent and .WithCancel', () => {
  const [child] = withCancel(background());
  const [grandchild] = withCancel(child);
  expect(child.toString()).toBe('context.Background.WithCancel');
  expect(grandchild.toString()).toBe('context.Background.WithCancel.WithCancel');
});

row(
  'G6',
  'before the cancel the context, its wrappers and their children have open signals and no error',
  () => {
    const [ctx, cancel] = withCancel(background());
    const children = wrappers(ctx).map((wrapper) => withCancel(wrapper)[0]);
    const all = [ctx, ...wrappers(ctx).map(from), ...children];
    expect(all.map((each) => [each.signal?.aborted, each.err()])).toEqual(all.map(() => [false, undefined]));
    cancel();
    expect(all.map((each) => [each.signal?.aborted, isCanceled(each.err())])).toEqual(
      all.map(() => [true, true]),
    );
  },
);

row('G7', 'the signal is the same object for life, and for all contexts that share a node', () => {
  const [ctx, cancel] = withCancel(background());
  const { signal } = ctx;
  expect(wrappers(ctx).map((wrapper) => from(wrapper).signal === signal)).toEqual([true, true, true, true]);
  cancel();
  expect(ctx.signal).toBe(signal);
});

row(
  'G8',
  'cancel() propagates synchronously: on its return all are done and each listener was called once',
  () => {
    const [ctx, cancel] = withCancel(background());
    const below = wrappers(ctx).map((wrapper) => withCancel(withCancel(wrapper)[0])[0]);
    const calls = new Map<CancelContext, number>();
    for (const each of [ctx, ...below]) {
      const count = () => void calls.set(each, (calls.get(each) ?? 0) + 1);
      onEnd(each, count);
      each.signal.addEventListener('abort', count);
    }
    cancel();
    expect([...calls.values()]).toEqual([2, 2, 2, 2, 2]);
    expect(below.map((each) => isCanceled(each.err()))).toEqual([true, true, true, true]);
  },
);

row('G9', 'later cancels do nothing, from wherever: no second event, and the first cause wins', () => {
  const [ctx, cancel] = withCancel(background());
  const told = jest.fn(() => cancel('third'));
  ctx.signal.addEventListener('abort', told);
  onEnd(ctx, told);
  cancel('first');
  cancel('second');
  cancel();
  expect(told).toHaveBeenCalledTimes(2);
  expect(ctx.cause()).toBe('first');
});

row('G10', 'err() is sticky: the same object ever after', () => {
  const [ctx, cancel] = withCancel(background());
  cancel();
  const error = ctx.err();
  cancel('other');
  expect(ctx.err()).toBe(error);
  expect(ctx.signal.reason).toBe(error);
});

row(
  'G11',
  'err() is defined exactly when the signal is aborted, even where a check notices the deadline',
  () => {
    const [ctx] = withTimeout(background(), 50);
    const { signal } = ctx;
    const seen: [boolean, boolean][] = [];
    signal.addEventListener('abort', () => seen.push([signal.aborted, ctx.err() !== undefined]));
    for (let ms = 0; ms < 100; ms += 10) {
      clock.block(10);
      seen.push([ctx.err() !== undefined, signal.aborted]);
    }
    expect(seen.filter(([done, aborted]) => done !== aborted)).toEqual([]);
    expect(seen.filter(([done]) => done)).toHaveLength(7);
  },
);

row('G12', 'no parent, or one that is no Context, is a TypeError in every constructor', () => {
  const nothing = () => undefined;
  const { signal } = new AbortController();
  const constructors: ((parent: OtelContext) => unknown)[] = [
    (parent) => withCancel(parent),
    (parent) => withTimeout(parent, 10),
    (parent) => withTimeout(parent, 10, { cause: 'why' }),
    (parent) => withDeadline(parent, clock.wallNow()),
    (parent) => withSignal(parent, signal),
    (parent) => withValue(parent, createContextKey('k'), 1),
    (parent) => withoutCancel(parent),
    (parent) => merge(parent, background()),
    (parent) => merge(background(), parent),
    (parent) => notifyContext(parent, 'SIGUSR2'),
    (parent) => group(parent),
    (parent) => scope(parent, {}, nothing),
    (parent) => from(parent),
    (parent) => onEnd(parent, nothing),
    (parent) => afterFunc(parent, nothing),
    (parent) => cleanup(parent, nothing),
    (parent) => run(parent, nothing),
    (parent) => track(parent, Promise.resolve()),
    (parent) => race(parent, Promise.resolve()),
    (parent) => sleep(parent, 1),
  ];
  for (const parent of [undefined, null, {}, 'ctx', 7, signal, { getValue: nothing }]) {
    expectTypeError(...constructors.map((derive) => () => derive(parent as unknown as OtelContext)));
  }
});

row('G13', 'cancel does not wait for work to stop: it returns nothing', async () => {
  const [ctx, cancel] = withCancel(background());
  const gate = deferred();
  let stopped = false;
  const work = run(ctx, async () => {
    await gate.promise;
    stopped = true;
  });
  expect(cancel()).toBeUndefined();
  await turn();
  expect([isCanceled(ctx.err()), stopped]).toEqual([true, false]);
  gate.resolve();
  await work;
});
