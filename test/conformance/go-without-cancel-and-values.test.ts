import {
  background,
  from,
  isCanceled,
  isDeadlineExceeded,
  withCancel,
  withoutCancel,
  withTimeout,
  withValue,
  type Context,
} from '@curfew/context';
import { NODE_KEY, nodeOf } from '@curfew/context/spi';
import { createContextKey, propagation, ROOT_CONTEXT, trace } from '@opentelemetry/api';
import { row } from './row';
import { expectTypeError, ForeignContext, manualClock, registrations } from './support';

const clock = manualClock();

const key = createContextKey('key');
const span = trace.wrapSpanContext({ traceId: '1'.repeat(32), spanId: '2'.repeat(16), traceFlags: 1 });

row('G75', 'withoutCancel has no deadline, no signal, no error and no cause', () => {
  const [ctx, cancel] = withTimeout(background(), 50);
  const detached = withoutCancel(ctx);
  const nothing = () =>
    expect([
      detached.deadline(),
      detached.signal,
      detached.err(),
      detached.cause(),
      nodeOf(detached),
    ]).toEqual(Array(5).fill(undefined));
  nothing();
  expect(detached.remaining()).toBe(Infinity);
  cancel('why');
  nothing();
});

row('G76', 'withoutCancel keeps values, span and baggage', () => {
  const baggage = propagation.createBaggage({ tenant: { value: 'a' } });
  const [ctx] = withCancel(withValue(background(), key, 'kept'));
  const detached = withoutCancel(propagation.setBaggage(trace.setSpan(ctx, span), baggage));
  expect(detached.getValue(key)).toBe('kept');
  expect(trace.getSpan(detached)).toBe(span);
  expect(propagation.getBaggage(detached)).toBe(baggage);
});

row('G77', 'the name is that of the parent and .WithoutCancel', () => {
  const [ctx] = withCancel(background());
  expect(withoutCancel(ctx).toString()).toBe('context.Background.WithCancel.WithoutCancel');
});

row(
  'G78',
  'the original and the copy do not end one another, and children of the copy are not the original’s',
  () => {
    const [ctx, cancel] = withTimeout(background(), 50);
    const detached = withoutCancel(ctx);
    const [child, cancelChild] = withCancel(detached);
    const [other] = withCancel(detached);
    expect(registrations(ctx)).toBe(0);
    cancelChild('mine');
    expect([ctx.err(), child.cause()]).toEqual([undefined, 'mine']);
    cancel();
    clock.advance(100);
    expect([other.err(), withoutCancel(ctx).err()]).toEqual([undefined, undefined]);
  },
);

row('G79', 'a new cancel or timeout on top works, and never sees the cause of the original', () => {
  const [original, cancelOriginal] = withCancel(background());
  cancelOriginal('original');
  const [canceled, cancel] = withCancel(withoutCancel(original));
  const [timed] = withTimeout(withoutCancel(original), 50);
  expect([nodeOf(canceled)?.parent, nodeOf(timed)?.parent]).toEqual([undefined, undefined]);
  cancel('own');
  clock.advance(50);
  expect([canceled.cause(), isDeadlineExceeded(timed.cause())]).toEqual(['own', true]);
});

row('G80', 'withoutCancel of nothing is a TypeError', () => {
  expectTypeError(
    () => withoutCancel(undefined as never),
    () => withoutCancel(null as never),
  );
});

row('G81', 'lookups find the nearest value through values and wrappers; an unset key is undefined', () => {
  const [k1, k2, k3] = ['k1', 'k2', 'k3'].map(createContextKey) as [symbol, symbol, symbol];
  const c1 = withValue(background(), k1, 'c1k1');
  const c2 = withValue(c1, k2, 'c2k2');
  const c3 = withValue(c2, k3, 'c3k3');
  const c4 = withValue(c3, k1, undefined);
  const o0 = new ForeignContext(background());
  const o1 = new ForeignContext(withValue(background(), k1, 'c1k1'));
  const o2 = withValue(o1, k2, 'o2k2');
  const o3 = new ForeignContext(c4);
  const o4 = withValue(o3, k3, undefined);
  const matrix: [string, { getValue(key: symbol): unknown }, (string | undefined)[]][] = [
    ['c0', background(), [undefined, undefined, undefined]],
    ['c1', c1, ['c1k1', undefined, undefined]],
    ['c2', c2, ['c1k1', 'c2k2', undefined]],
    ['c3', c3, ['c1k1', 'c2k2', 'c3k3']],
    ['c4', c4, [undefined, 'c2k2', 'c3k3']],
    ['o0', o0, [undefined, undefined, undefined]],
    ['o1', o1, ['c1k1', undefined, undefined]],
    ['o2', o2, ['c1k1', 'o2k2', undefined]],
    ['o3', o3, [undefined, 'c2k2', 'c3k3']],
    ['o4', o4, [undefined, 'c2k2', undefined]],
  ];
  for (const [name, ctx, values] of matrix) {
    expect([name, ...[k1, k2, k3].map((each) => ctx.getValue(each))]).toEqual([name, ...values]);
  }
});

row(
  'G82',
  'keys with the same description are different keys, but for those that OpenTelemetry registers',
  () => {
    const [one, two] = [Symbol('user'), Symbol('user')];
    const registered = createContextKey('user');
    let ctx: Context = background();
    for (const each of [one, two, registered]) ctx = withValue(ctx, each, each);
    expect([one, two, registered].map((each) => ctx.getValue(each) === each)).toEqual([true, true, true]);
    expect(createContextKey('user')).toBe(registered);
  },
);

row('G83', 'storing undefined shadows the value of the parent', () => {
  const parent = withValue(background(), key, 'shadowed');
  const [child] = withCancel(withValue(parent, key, undefined));
  expect([child.getValue(key), parent.getValue(key)]).toEqual([undefined, 'shadowed']);
});

row('G84', 'values do not change with the end, and are visible through wrappers', () => {
  const [ctx, cancel] = withTimeout(withValue(background(), key, 'kept'), 50);
  const seen = () =>
    [ctx, new ForeignContext(ctx), trace.setSpan(ctx, span)].map((each) => each.getValue(key));
  expect(seen()).toEqual(['kept', 'kept', 'kept']);
  cancel();
  expect(seen()).toEqual(['kept', 'kept', 'kept']);
});

row('G85', 'no key, or one that is no symbol, is refused', () => {
  expectTypeError(
    ...[undefined, null, 'user', '', 0, {}, []].map((bad) => () => withValue(background(), bad as never, 1)),
  );
});

row('G86', 'one registered key holds the node, so that wrappers of any class are seen through', () => {
  expect(NODE_KEY).toBe(Symbol.for('@curfew/context.node.v1'));
  const [ctx, cancel] = withCancel(background());
  const wrapped = new ForeignContext(trace.setSpan(ctx, span));
  expect([ctx, wrapped, from(wrapped)].map((each) => each.getValue(NODE_KEY) === nodeOf(ctx))).toEqual([
    true,
    true,
    true,
  ]);
  // By structure alone: what was copied by hand into a plain OpenTelemetry context is ours too.
  const copied = ROOT_CONTEXT.setValue(NODE_KEY, ctx.getValue(NODE_KEY));
  cancel('why');
  expect([isCanceled(from(copied).err()), from(copied).cause()]).toEqual([true, 'why']);
});

row('G87', 'no built-in type is a key: the compiler refuses them, and so does withValue', () => {
  expectTypeError(
    // @ts-expect-error a string is no symbol
    () => withValue(background(), 'user', 1),
    // @ts-expect-error a number is no symbol
    () => withValue(background(), 7, 1),
    // @ts-expect-error a boolean is no symbol
    () => withValue(background(), true, 1),
    // @ts-expect-error a bigint is no symbol
    () => withValue(background(), 7n, 1),
  );
});
