import {
  background,
  CanceledError,
  DeadlineExceededError,
  isCanceled,
  isDeadlineExceeded,
  withCancel,
  withDeadline,
  withTimeout,
  withValue,
} from '@curfew/context';
import { deadlineStatus, nodeOf } from '@curfew/context/spi';
import { createContextKey, diag, DiagLogLevel, trace } from '@opentelemetry/api';
import { row } from './row';
import { ForeignContext, manualClock } from './support';

const clock = manualClock();

const key = createContextKey('key');
const HOUR = 3_600_000;
const at = (ms: number) => new Date(clock.wallNow() + ms);

row('G28', 'a deadline in the future: done when it has passed, by DeadlineExceeded', () => {
  const [ctx] = withDeadline(background(), at(50));
  clock.advance(49);
  expect([ctx.signal.aborted, ctx.err()]).toEqual([false, undefined]);
  clock.advance(1);
  expect([ctx.signal.aborted, isDeadlineExceeded(ctx.err())]).toEqual([true, true]);
  expect(ctx.signal.reason).toBe(ctx.err());
  expect(ctx.signal.reason).toMatchObject({ name: 'TimeoutError' });
});

row('G29', 'the name is WithDeadline, for withTimeout too', () => {
  for (const [ctx] of [withDeadline(background(), at(50)), withTimeout(background(), 50)]) {
    expect(ctx.toString()).toMatch(/^context\.Background\.WithDeadline\(/);
  }
});

row('G30', "a deadline works through somebody else's wrapper", () => {
  const [ctx] = withTimeout(background(), 50);
  const span = trace.wrapSpanContext({ traceId: '1'.repeat(32), spanId: '2'.repeat(16), traceFlags: 1 });
  const below = [new ForeignContext(ctx), trace.setSpan(ctx, span), ctx.setValue(key, 1)].map((parent) =>
    withCancel(parent),
  );
  clock.advance(50);
  expect(below.map(([child]) => isDeadlineExceeded(child.err()))).toEqual([true, true, true]);
});

row('G31', 'a child with a long deadline expires with the short one above it', () => {
  const [parent] = withTimeout(background(), 50);
  const [child] = withTimeout(new ForeignContext(parent), HOUR);
  expect(child.deadline()).toEqual(parent.deadline());
  clock.advance(50);
  expect(child.err()).toBe(parent.err());
  expect(isDeadlineExceeded(child.err())).toBe(true);
});

row('G32', 'a deadline in the past, or exactly now, has passed at construction', () => {
  const past = [
    withDeadline(background(), at(-1)),
    withDeadline(background(), at(0)),
    withTimeout(background(), 0),
    withTimeout(background(), -5),
  ];
  expect(past.map(([ctx]) => [ctx.signal.aborted, isDeadlineExceeded(ctx.err())])).toEqual(
    past.map(() => [true, true]),
  );
  expect([clock.timers.length, deadlineStatus().live]).toEqual([0, 0]);
});

row('G33', 'withTimeout(ms) is withDeadline(now + ms)', () => {
  const [byTimeout] = withTimeout(background(), 50);
  const [byDeadline] = withDeadline(background(), at(50));
  expect(byTimeout.deadline()).toEqual(byDeadline.deadline());
  expect(byTimeout.toString()).toBe(byDeadline.toString());
  clock.advance(49);
  expect([byTimeout.err(), byDeadline.err()]).toEqual([undefined, undefined]);
  clock.advance(1);
  expect([byTimeout, byDeadline].map((ctx) => isDeadlineExceeded(ctx.err()))).toEqual([true, true]);
});

row('G34', 'a cancel before the deadline is Canceled at once, under another deadline too', () => {
  const [parent, release] = withTimeout(background(), HOUR);
  const [ctx, cancel] = withTimeout(new ForeignContext(parent), 50);
  cancel();
  expect(isCanceled(ctx.err())).toBe(true);
  expect(deadlineStatus().live).toBe(1);
  clock.advance(100);
  expect([isCanceled(ctx.err()), parent.err()]).toEqual([true, undefined]);
  release();
});

row(
  'G35',
  "under an earlier deadline: no timer, the parent's deadline, WithCancel, the cause dropped with a diagnostic",
  () => {
    const said: unknown[] = [];
    const quiet = () => undefined;
    diag.setLogger(
      { error: quiet, warn: quiet, info: quiet, verbose: quiet, debug: (message) => said.push(message) },
      { logLevel: DiagLogLevel.ALL, suppressOverrideMessage: true },
    );
    said.length = 0;
    const [parent] = withTimeout(background(), 50, { cause: "the parent's" });
    const [child] = withTimeout(parent, HOUR, { cause: "the child's" });
    expect(said).toEqual([expect.stringMatching(/cause.*earlier/)]);
    diag.disable();
    expect(deadlineStatus().live).toBe(1);
    expect(child.deadline()).toEqual(parent.deadline());
    expect(child.toString()).toMatch(/\.WithCancel$/);
    clock.advance(50);
    expect(child.cause()).toBe("the parent's");
  },
);

row('G36', "an equal deadline is covered by the parent's: one timer, and the parent's cause", () => {
  const when = at(50);
  const [parent] = withDeadline(background(), when, { cause: "the parent's" });
  const [child] = withDeadline(parent, when, { cause: "the child's" });
  expect(deadlineStatus().live).toBe(1);
  clock.advance(50);
  expect(child.cause()).toBe("the parent's");
});

row('G37', 'a cancelled parent beats a past deadline, and an earlier one beats both', () => {
  const [parent, cancel] = withCancel(background());
  cancel('first');
  for (const [child] of [withTimeout(parent, -1), withDeadline(parent, at(-1), { cause: 'late' })]) {
    expect([isCanceled(child.err()), child.cause()]).toEqual([true, 'first']);
  }
});

row(
  'G38',
  'a cancel stops the timer and drops the reference to it',
  () => {
    const [, cancel] = withTimeout(background(), HOUR);
    cancel();
    expect(clock.timers).toHaveLength(0);
  },
  () => {
    const [ctx, cancel] = withTimeout(background(), HOUR);
    expect(clock.timers).toHaveLength(1);
    cancel();
    expect([nodeOf(ctx)?.own?.node, deadlineStatus().live]).toEqual([undefined, 0]);
    clock.advance(1000);
    expect(clock.timers).toHaveLength(0);
  },
);

row('G39', 'the deadline shows through all later layers and is the same before and after the end', () => {
  const [expired] = withTimeout(background(), 50);
  const [canceled, cancel] = withTimeout(background(), 50);
  const deadline = at(50);
  const layers = [expired, canceled].flatMap((ctx) => [
    ctx,
    withValue(ctx, key, 1),
    withCancel(ctx)[0],
    withTimeout(ctx, HOUR)[0],
  ]);
  const shown = () => layers.map((ctx) => ctx.deadline());
  expect(shown()).toEqual(layers.map(() => deadline));
  // A Date can be changed: each reader gets its own.
  expired.deadline()?.setTime(0);
  cancel();
  clock.advance(60);
  expect(shown()).toEqual(layers.map(() => deadline));
  expect(withCancel(background())[0].deadline()).toBeUndefined();
});

row('G40', "children take over exactly the parent's error and cause, of a deadline and of a cancel", () => {
  const [expired] = withTimeout(background(), 50, { cause: 'late' });
  const [canceled, cancel] = withCancel(background());
  const pairs = [expired, canceled].map(
    (parent) => [parent, withCancel(withValue(parent, key, 1))[0]] as const,
  );
  cancel('gone');
  clock.advance(50);
  for (const [parent, child] of pairs) {
    expect(child.err()).toBe(parent.err());
    expect(child.cause()).toBe(parent.cause());
  }
  expect([isDeadlineExceeded(expired.err()), isCanceled(canceled.err())]).toEqual([true, true]);
});

row('G41', 'a cancel after the deadline changes nothing', () => {
  const [ctx, cancel] = withTimeout(background(), 50);
  clock.advance(50);
  const error = ctx.err();
  cancel('too late');
  expect([ctx.err(), ctx.cause(), isDeadlineExceeded(error)]).toEqual([error, error, true]);
});

row('G42', "DeadlineExceeded has Go's message, a timeout that is true, and the name of native ones", () => {
  const error = new DeadlineExceededError();
  expect(error.message).toBe('context deadline exceeded');
  expect([error.name, error.timeout, 'temporary' in error]).toEqual(['TimeoutError', true, false]);
  expect(withTimeout(background(), 0)[0].err()).toMatchObject({ name: 'TimeoutError', timeout: true });
});

row('G43', "Canceled has Go's message, no timeout, and the name and code of Node's own", () => {
  const error = new CanceledError();
  expect(error.message).toBe('context canceled');
  expect([error.name, error.code, 'timeout' in error]).toEqual(['AbortError', 'ABORT_ERR', false]);
});

row('G44', 'a wall-clock deadline is converted once; a step of the clock moves it no more', () => {
  const [ctx] = withDeadline(background(), at(100).getTime());
  const { wallNow } = clock;
  clock.wallNow = () => wallNow() + HOUR;
  expect(ctx.remaining()).toBe(100);
  clock.advance(99);
  expect(ctx.err()).toBeUndefined();
  clock.advance(1);
  expect(isDeadlineExceeded(ctx.err())).toBe(true);
});
