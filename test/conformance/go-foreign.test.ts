import {
  background,
  from,
  isDeadlineExceeded,
  merge,
  withCancel,
  withSignal,
  withTimeout,
  type CancelContext,
} from '@curfew/context';
import { nodeOf } from '@curfew/context/spi';
import { createContextKey, propagation, trace, type Context as OtelContext } from '@opentelemetry/api';
import { getEventListeners } from 'node:events';
import { row } from './row';
import { expectTypeError, ForeignContext, manualClock, registrations, spawned } from './support';

const clock = manualClock();
const span = trace.wrapSpanContext({ traceId: '1'.repeat(32), spanId: '2'.repeat(16), traceFlags: 1 });

row('G104', 'contexts that OpenTelemetry or others derive cost no listener and no registration', () => {
  const { signal } = new AbortController();
  const [ctx] = withSignal(background(), signal);
  const derived = [
    trace.setSpan(ctx, span),
    propagation.setBaggage(ctx, propagation.createBaggage()),
    new ForeignContext(ctx),
    ctx.setValue(createContextKey('k'), 1),
  ];
  expect(derived.map((each) => nodeOf(each) === nodeOf(ctx))).toEqual([true, true, true, true]);
  expect([registrations(ctx), getEventListeners(signal, 'abort').length]).toEqual([0, 1]);
});

row('G105', 'a signal set later is honoured beside the node: neither bypasses the other', () => {
  const both = () => {
    const [inner, cancel] = withCancel(background());
    const controller = new AbortController();
    const [ctx] = withSignal(new ForeignContext(inner), controller.signal);
    return { ctx: withCancel(ctx)[0], inner, cancel, controller };
  };
  const byNode = both();
  byNode.cancel('node');
  expect([byNode.ctx.cause(), byNode.controller.signal.aborted]).toEqual(['node', false]);
  const bySignal = both();
  bySignal.controller.abort('signal');
  expect([bySignal.ctx.cause(), bySignal.inner.err()]).toEqual(['signal', undefined]);
});

row('G106', 'no listener is added to a signal that has aborted, nor under a context that has ended', () => {
  const aborted = AbortSignal.abort('early');
  const [ctx] = withSignal(background(), aborted);
  expect([ctx.cause(), getEventListeners(aborted, 'abort').length]).toEqual(['early', 0]);
  const { signal } = new AbortController();
  const [, cancel] = [...withCancel(background())];
  cancel();
  const [ended, end] = withCancel(background());
  end();
  withSignal(ended, signal);
  merge(ended, withSignal(background(), aborted)[0]);
  expect(getEventListeners(signal, 'abort')).toHaveLength(0);
});

row('G107', 'two thousand lives on one foreign signal leave no listener and no warning', () => {
  const { lines, stderr } = spawned(`
    const { getEventListeners } = require('node:events');
    const { signal } = new AbortController();
    for (let life = 0; life < 2000; life++) c.withSignal(c.background(), signal)[1]();
    for (let life = 0; life < 2000; life++) {
      const [parent, cancel] = c.withCancel(c.background());
      c.withSignal(parent, signal);
      cancel();
    }
    console.log(getEventListeners(signal, 'abort').length);
  `);
  expect([lines, stderr]).toEqual([['0'], '']);
});

row(
  'G108',
  'what reports a deadline but carries no cancellation is never linked; without being a Context it is refused',
  () => {
    const soon = { deadline: () => new Date(0), err: () => undefined };
    expectTypeError(
      () => withCancel(soon as unknown as OtelContext),
      () => merge(background(), soon as unknown as OtelContext),
      () => withSignal(background(), soon as unknown as AbortSignal),
    );
    const foreign = Object.assign(new ForeignContext(background()), soon);
    const [child] = withTimeout(foreign, 1e6);
    expect([nodeOf(child)?.parent, child.err(), from(foreign).deadline()]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(child.remaining()).toBeGreaterThan(0);
  },
);

/** Most bytes that one of each may allocate. Go counts allocations: 0, 3, 12, 5 and 8. */
const CEILINGS = {
  background: 1,
  withValue: 120,
  'withTimeout and fire': 1200,
  'withCancel and cancel': 400,
  'withTimeout and cancel': 650,
};

row('G109', 'what each allocates stays under its ceiling', () => {
  // Where nothing is collected the heap grows by exactly what is allocated; the results escape.
  const { lines } = spawned(
    `
    const key = Symbol('key');
    const kept = new Array(1000);
    const works = {
      background: () => c.background(),
      withValue: () => c.withValue(c.background(), key, 1),
      'withTimeout and fire': () => c.withTimeout(c.background(), -1),
      'withCancel and cancel': () => { const pair = c.withCancel(c.background()); pair[1](); return pair; },
      'withTimeout and cancel': () => { const pair = c.withTimeout(c.background(), 1e6); pair[1](); return pair; },
    };
    for (const [name, work] of Object.entries(works)) {
      // The least of some rounds: the compiler allocates too, in its own time.
      const rounds = [0, 1, 2, 3, 4, 5].map(() => {
        gc();
        const before = process.memoryUsage().heapUsed;
        for (let n = 0; n < 20000; n++) kept[n % 1000] = work();
        return (process.memoryUsage().heapUsed - before) / 20000;
      });
      console.log(JSON.stringify([name, Math.min(...rounds)]));
    }
  `,
    { flags: ['--expose-gc', '--min-semi-space-size=128', '--max-semi-space-size=128'] },
  );
  const allocated = Object.fromEntries(lines.map((line) => JSON.parse(line) as [string, number]));
  expect(Object.keys(allocated)).toEqual(Object.keys(CEILINGS));
  const over = Object.entries(CEILINGS).filter(([name, most]) => !((allocated[name] as number) <= most));
  expect({ over, allocated }).toEqual({ over: [], allocated });
});

row(
  'G111',
  'err() looks at the node alone, however deep: it shares the record of the earliest deadline',
  () => {
    const [top] = withTimeout(background(), 50);
    let leaf: CancelContext = top;
    for (let depth = 0; depth < 10_000; depth++) [leaf] = withCancel(leaf);
    expect(nodeOf(leaf)?.due).toBe(nodeOf(top)?.due);
    // An answer that walked up would ask the ancestors, or the clock, more than once.
    const parent = nodeOf(leaf)?.parent;
    const { now } = clock;
    let asked = 0;
    clock.now = () => (asked++, now());
    nodeOf(leaf)!.parent = undefined;
    expect([leaf.err(), asked]).toEqual([undefined, 1]);
    nodeOf(leaf)!.parent = parent;
    clock.block(60);
    expect(isDeadlineExceeded(leaf.err())).toBe(true);
    asked = 0;
    expect([leaf.err() === top.err(), asked]).toEqual([true, 0]);
  },
);
