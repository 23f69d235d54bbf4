import {
  background,
  CanceledError,
  group,
  isCanceled,
  isDeadlineExceeded,
  iterate,
  reasonOf,
  withCancel,
  withDeadline,
  withoutCancel,
  withSignal,
  withTimeout,
  withValue,
} from '@curfew/context';
import { deadlineReader, DeadlinePropagator, TIMEOUT_HEADER } from '@curfew/propagation';
import { createContextKey, defaultTextMapGetter, defaultTextMapSetter } from '@opentelemetry/api';
import { runInNewContext } from 'node:vm';
import { row } from './row';
import { deferred, expectTypeError, manualClock, spawned, thrown, turn } from './support';

const clock = manualClock();

row('J41', 'the cancel function is a Disposable, and calling either is the same', () => {
  const [ctx, cancel] = withCancel(background());
  expect([typeof cancel, typeof cancel[Symbol.dispose]]).toEqual(['function', 'function']);
  {
    using _ = cancel;
    expect(ctx.err()).toBeUndefined();
  }
  expect([isCanceled(ctx.err()), ctx.cause()]).toEqual([true, ctx.err()]);
  cancel('later');
  cancel[Symbol.dispose]();
  expect(ctx.cause()).toBe(ctx.err());
});

/** The cause after a cancel function was used as an event handler. */
function causeAsHandler(event: object): unknown {
  const [ctx, cancel] = withCancel(background());
  const button: { onclick?: (event: object) => void } = {};
  button.onclick = cancel;
  button.onclick(event);
  return ctx.cause() === ctx.err() ? undefined : ctx.cause();
}

row(
  'J42',
  'a plain cancel ignores its arguments; only a CancelCause takes one',
  () => expect(causeAsHandler({ type: 'click' })).toBeUndefined(),
  () => {
    const event = { type: 'click' };
    expect(causeAsHandler(event)).toBe(event);
  },
);

row('J43', 'a cause is never looked into: throwing getters and proxies do no harm', () => {
  const hostile = (): never => {
    throw new Error('looked into');
  };
  const traps = Object.fromEntries(Object.getOwnPropertyNames(Reflect).map((trap) => [trap, hostile]));
  const causes = [
    new Proxy({}, traps),
    Object.defineProperties(
      {},
      { name: { get: hostile }, cause: { get: hostile }, message: { get: hostile } },
    ),
  ];
  for (const cause of causes) {
    const [ctx, cancel] = withCancel(background());
    const [child] = withTimeout(ctx, 1e6);
    const { signal } = child;
    cancel(cause);
    expect([child.cause() === cause, signal.aborted, isCanceled(child.err())]).toEqual([true, true, true]);
    expect([reasonOf(cause), child.toString().endsWith(']')]).toEqual([undefined, false]);
    const [timed] = withTimeout(background(), 0, { cause });
    const [linked] = withSignal(background(), AbortSignal.abort(cause));
    expect([timed.cause() === cause, linked.cause() === cause, reasonOf(linked.err())]).toEqual([
      true,
      true,
      'canceled',
    ]);
  }
});

row(
  'J44',
  'what work in flight rejects with after the end is handled where nobody can wait for it any more',
  async () => {
    const { status, stderr, lines } = spawned(`
    const late = () => new Promise((_, reject) => setTimeout(reject, 5, new Error('late')));
    const say = (error) => console.log(error.message);
    const [ctx, cancel] = c.withCancel(c.background());
    c.scope(ctx, {}, late).catch(say);
    c.race(ctx, late()).catch(say);
    const [tasks] = c.group(ctx);
    for (let n = 0; n < 3; n++) tasks.go(late);
    setTimeout(() => tasks.wait().catch(say), 20);
    cancel();
  `);
    expect([status, stderr, lines]).toEqual([0, '', ['context canceled', 'context canceled', 'late']]);
    const [tasks] = group(background());
    tasks.go(() => Promise.reject(new Error('one')));
    await expect(tasks.wait()).rejects.toThrow('one');
  },
);

row(
  'J45',
  'on a cancel the source of an iteration is asked to return, and what that rejects with is dropped',
  async () => {
    const gate = deferred<IteratorResult<number>>();
    let returned = 0;
    const source = {
      next: () => gate.promise,
      return: () => {
        returned++;
        return Promise.reject<IteratorResult<number>>(new Error('while closing'));
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
    const [ctx, cancel] = withCancel(background());
    const step = iterate(ctx, source).next();
    await turn();
    cancel('enough');
    await expect(step).rejects.toBe(ctx.err());
    await turn();
    expect(returned).toBe(1);
  },
);

row('J46', 'contexts cross to no other thread; the remaining time and the reason do', () => {
  const [ctx] = withTimeout(background(), 100);
  // A clone is refused, be it by the clone or by whoever is given it.
  expect(thrown(() => withCancel(structuredClone(ctx)))).toMatchObject({
    name: expect.stringMatching(/^(TypeError|DataCloneError)$/),
  });
  const { lines } = spawned(`
    const { Worker } = require('node:worker_threads');
    const [ctx] = c.withTimeout(c.background(), 60000);
    const [ended, cancel] = c.withCancel(c.background());
    cancel('why');
    new Worker(\`
      const c = require('@curfew/context');
      const { remaining, reason } = require('node:worker_threads').workerData;
      const [ctx] = c.withTimeout(c.background(), remaining);
      console.log(ctx.remaining() > 0 && ctx.remaining() <= 60000, reason);
    \`, { eval: true, workerData: { remaining: ctx.remaining(), reason: c.reasonOf(ended.err()) } });
  `);
  expect(lines).toEqual(['true canceled']);
});

row(
  'J47',
  'a deadline is sent as whole ms left, rounded down, never below 0, and not at all where there is none',
  () => {
    const propagator = new DeadlinePropagator({ inject: true });
    const sent = (ms: number) => {
      const carrier: Record<string, string> = {};
      propagator.inject(withTimeout(background(), ms)[0], carrier, defaultTextMapSetter);
      return carrier[TIMEOUT_HEADER];
    };
    expect([sent(99.9), sent(0.4), sent(-5), sent(Infinity)]).toEqual(['99', '0', '0', undefined]);
    const read = deadlineReader({ maxTimeout: 1000 });
    const { remaining } = read({ [TIMEOUT_HEADER]: '60000' }, defaultTextMapGetter);
    expect(remaining).toBe(1000);
    // A peer shortens the deadline of a parent, and never lengthens it.
    const [parent] = withTimeout(background(), 50);
    expect(withTimeout(parent, remaining!)[0].remaining()).toBe(50);
  },
);

row(
  'J48',
  'work that outlives its request goes on without its cancellation, under a deadline of its own',
  () => {
    const key = createContextKey('tenant');
    const [request, cancel] = withTimeout(withValue(background(), key, 'a'), 50);
    const [job] = withTimeout(withoutCancel(request), 1000, { cause: 'job too slow' });
    cancel('the client left');
    clock.advance(999);
    expect([job.err(), job.getValue(key)]).toEqual([undefined, 'a']);
    clock.advance(1);
    expect([isDeadlineExceeded(job.err()), job.cause()]).toEqual([true, 'job too slow']);
  },
);

row('J49', 'a deadline is a Date of any realm or class, or epoch ms; an invalid one is refused', () => {
  class Instant extends Date {}
  const at = clock.wallNow() + 100;
  const dates = [at, new Date(at), new Instant(at), runInNewContext(`new Date(${at})`) as Date];
  expect(dates.map((date) => withDeadline(background(), date)[0].remaining())).toEqual([100, 100, 100, 100]);
  for (const invalid of [new Date(NaN), NaN, new Instant('no date')]) {
    expect(thrown(() => withDeadline(background(), invalid))).toMatchObject({ name: 'RangeError' });
  }
  const strange = [new Date(at).toISOString(), BigInt(at), undefined, null, {}] as unknown as Date[];
  expectTypeError(...strange.map((date) => () => withDeadline(background(), date)));
});

row('J50', 'a cause that is the error of a context, or part of a cycle, is stored as it is', () => {
  const [first, cancelFirst] = withCancel(background());
  cancelFirst();
  const own = first.err() as Error;
  const [second, cancelSecond] = withCancel(background());
  cancelSecond(own);
  expect([second.cause(), (second.err() as Error).cause, second.err() === own]).toEqual([own, own, false]);
  const cycle = new CanceledError();
  cycle.cause = cycle;
  const knot = new Error('knot');
  knot.cause = new Error('other end', { cause: knot });
  for (const cause of [cycle, knot]) {
    const [ctx, cancel] = withCancel(background());
    cancel(cause);
    expect([ctx.cause() === cause, isCanceled(ctx.err())]).toEqual([true, true]);
  }
  expect([isCanceled(cycle), isCanceled(knot)]).toEqual([true, false]);
});
