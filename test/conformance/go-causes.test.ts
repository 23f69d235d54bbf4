import {
  background,
  isCanceled,
  onEnd,
  reasonOf,
  todo,
  withCancel,
  withoutCancel,
  withSignal,
  withTimeout,
  withValue,
  type Context,
} from '@curfew/context';
import { retire } from '@curfew/context/spi';
import { createContextKey } from '@opentelemetry/api';
import { row } from './row';
import { ForeignContext, manualClock } from './support';

const clock = manualClock();

const P = new Error('parent');
const C = new Error('child');
const T = new Error('too slow');
const E = new Error('early');
const FOREVER = 1e9;

type Reason = 'canceled' | 'deadline_exceeded' | undefined;
/** `err` is what Go calls Canceled or DeadlineExceeded as its own cause. */
type Cause = Error | 'err' | undefined;

function pair(
  parentCause: Error | undefined,
  childCause: Error | undefined,
  first: 'parent' | 'child',
): Context {
  const [parent, cancelParent] = withCancel(background());
  const [child, cancelChild] = withCancel(parent);
  if (first === 'child') cancelChild(childCause);
  cancelParent(parentCause);
  if (first === 'parent') cancelChild(childCause);
  return child;
}

/** A context of somebody else's over a cancellable one, with a cancellation of its own. */
function custom(order: readonly ('parent' | 'custom')[]): Context {
  const [parent, cancelParent] = withCancel(background());
  const [ctx, cancelCustom] = withCancel(new ForeignContext(parent));
  for (const each of order)
    if (each === 'parent') cancelParent(P);
    else cancelCustom();
  return ctx;
}

function one([ctx, cancel]: ReturnType<typeof withCancel>, ...cause: unknown[]): Context {
  cancel(...cause);
  return ctx;
}

function timedChild(ms: number): Context {
  const [parent, cancelParent] = withCancel(background());
  const [child] = withTimeout(parent, ms, { cause: T });
  cancelParent(E);
  return child;
}

const TABLE: [id: string, setup: string, made: () => Context, err: Reason, cause: Cause][] = [
  ['G45', 'Background', background, undefined, undefined],
  ['G46', 'TODO', todo, undefined, undefined],
  ['G47', 'WithCancel, cancel', () => one(withCancel(background())), 'canceled', 'err'],
  ['G48', 'WithCancelCause, cancel(P)', () => one(withCancel(background()), P), 'canceled', P],
  ['G49', 'WithCancelCause, cancel(nil)', () => one(withCancel(background()), null), 'canceled', 'err'],
  ['G50', 'parent(P), then child(C)', () => pair(P, C, 'parent'), 'canceled', P],
  ['G51', 'child(C), then parent(P)', () => pair(P, C, 'child'), 'canceled', C],
  ['G52', 'parent(P), then child()', () => pair(P, undefined, 'parent'), 'canceled', P],
  ['G53', 'child(), then parent(P)', () => pair(P, undefined, 'child'), 'canceled', 'err'],
  ['G54', 'parent(), then child(C)', () => pair(undefined, C, 'parent'), 'canceled', 'err'],
  ['G55', 'child(C), then parent()', () => pair(undefined, C, 'child'), 'canceled', C],
  ['G56', 'WithTimeout 0, cancel()', () => one(withTimeout(background(), 0)), 'deadline_exceeded', 'err'],
  ['G57', 'WithTimeout F, cancel()', () => one(withTimeout(background(), FOREVER)), 'canceled', 'err'],
  [
    'G58',
    'WithTimeoutCause(0, T), cancel()',
    () => one(withTimeout(background(), 0, { cause: T })),
    'deadline_exceeded',
    T,
  ],
  [
    'G59',
    'WithTimeoutCause(F, T), cancel(), which does not set T',
    () => one(withTimeout(background(), FOREVER, { cause: T })),
    'canceled',
    'err',
  ],
  ['G60', 'child TimeoutCause(0, T), then parent(E)', () => timedChild(0), 'deadline_exceeded', T],
  ['G61', 'child TimeoutCause(F, T), then parent(E)', () => timedChild(FOREVER), 'canceled', E],
  ['G62', 'WithoutCancel(Background)', () => withoutCancel(background()), undefined, undefined],
  [
    'G63',
    'WithoutCancel of a cancelled context',
    () => withoutCancel(one(withCancel(background()), E)),
    undefined,
    undefined,
  ],
  [
    'G64',
    'WithoutCancel of an expired context',
    () => withoutCancel(withTimeout(background(), 0)[0]),
    undefined,
    undefined,
  ],
  ['G65', 'custom context, only itself cancelled', () => custom(['custom']), 'canceled', 'err'],
  ['G66', 'custom context, parent(P) first', () => custom(['parent', 'custom']), 'canceled', P],
  ['G67', 'custom context, itself first, then parent(P)', () => custom(['custom', 'parent']), 'canceled', P],
];

const check = (made: () => Context, err: Reason, cause: Cause) => () => {
  const ctx = made();
  expect(reasonOf(ctx.err())).toBe(err);
  expect(ctx.cause()).toBe(cause === 'err' ? ctx.err() : cause);
};

for (const [id, setup, made, err, cause] of TABLE) {
  row(id, setup, check(made, err, cause), ...(id === 'G67' ? [check(made, err, 'err')] : []));
}

row('G68', 'the cause is undefined while not cancelled, and never there before the error', () => {
  const [ctx, cancel] = withCancel(background());
  const [timed] = withTimeout(background(), 50, { cause: T });
  const seen: unknown[] = [];
  onEnd(ctx, () => seen.push(ctx.err() !== undefined && ctx.cause()));
  expect([ctx.cause(), timed.cause()]).toEqual([undefined, undefined]);
  cancel(P);
  clock.block(60);
  seen.push(timed.cause(), reasonOf(timed.err()));
  expect(seen).toEqual([P, T, 'deadline_exceeded']);
});

row('G69', 'the first cancellation on the path sets the cause, later ones never change it', () => {
  const [top, cancelTop] = withCancel(background());
  const [middle, cancelMiddle] = withCancel(top);
  const [leaf, cancelLeaf] = withCancel(middle);
  cancelMiddle(C);
  cancelTop(P);
  cancelLeaf(E);
  expect([top, middle, leaf].map((ctx) => ctx.cause())).toEqual([P, C, C]);
});

row('G70', 'a value over a cancelled context has its cause', () => {
  const [ctx, cancel] = withCancel(background());
  const before = withValue(ctx, createContextKey('k'), 1);
  cancel(P);
  expect([before, withValue(ctx, createContextKey('k'), 1)].map((each) => each.cause())).toEqual([P, P]);
});

row(
  'G71',
  'a context that reports no error has no cause, whatever its ancestors or its own record say',
  () => {
    const [parent, cancel] = withCancel(background());
    const detached = withoutCancel(parent);
    const [request] = withCancel(background());
    retire(request);
    cancel(P);
    const live = [detached, withCancel(detached)[0], request, withCancel(request)[0]];
    expect(live.map((ctx) => [ctx.err(), ctx.cause()])).toEqual(live.map(() => [undefined, undefined]));
  },
);

row('G72', 'a foreign signal as the parent: its end and cause reach down, those of a child never up', () => {
  const controller = new AbortController();
  const [parent] = withSignal(background(), controller.signal);
  const [first, cancelFirst] = withCancel(parent);
  const [second] = withCancel(parent);
  cancelFirst(C);
  expect([parent.err(), parent.cause(), controller.signal.aborted]).toEqual([undefined, undefined, false]);
  controller.abort();
  expect(isCanceled(parent.err())).toBe(true);
  expect(parent.cause()).toBe(controller.signal.reason);
  expect(parent.cause()).toMatchObject({ name: 'AbortError' });
  expect([first.cause(), second.err(), second.cause()]).toEqual([C, parent.err(), parent.cause()]);
});

row('G73', 'a foreign signal over an ancestor that was cancelled first: the cause is the ancestor’s', () => {
  const [ancestor, cancel] = withCancel(background());
  const controller = new AbortController();
  const [before] = withSignal(ancestor, controller.signal);
  cancel(P);
  controller.abort(E);
  const [after] = withSignal(ancestor, controller.signal);
  expect([before, after, withCancel(after)[0]].map((ctx) => ctx.cause())).toEqual([P, P, P]);
});

row('G74', 'any value is a cause, by identity and unwrapped; isCanceled may be false of it', () => {
  const causes = [
    P,
    {},
    0,
    '',
    false,
    NaN,
    Symbol('s'),
    () => undefined,
    'thrown string',
    Object.freeze(new Error()),
  ];
  for (const cause of causes) {
    const [ctx, cancel] = withCancel(background());
    cancel(cause);
    expect(ctx.cause()).toBe(cause);
    expect((ctx.signal.reason as Error).cause).toBe(cause);
    expect([isCanceled(ctx.cause()), isCanceled(ctx.err())]).toEqual([false, true]);
  }
});
