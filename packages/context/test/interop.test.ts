import {
  active,
  afterFunc,
  background,
  from,
  isCanceled,
  isDeadlineExceeded,
  onEnd,
  run,
  scope,
  sleep,
  withCancel,
  withSignal,
  withTimeout,
  withValue,
  type CancelContext,
} from '@curfew/context';
import { deadlineStatus, NODE_KEY, nodeOf, type ContextNode } from '@curfew/context/spi';
import {
  context,
  createContextKey,
  propagation,
  ROOT_CONTEXT,
  trace,
  TraceFlags,
  type Context as OtelContext,
} from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { spawnSync } from 'node:child_process';
import { useManualClock } from '../../../test/manual-clock';
import { installCopy, type InstalledCopy } from './installed-copy';

const USER = createContextKey('user');
const span = trace.wrapSpanContext({
  traceId: '0af7651916cd43dd8448eb211c80319c',
  spanId: 'b7ad6b7169203331',
  traceFlags: TraceFlags.SAMPLED,
});

/** The three methods that an OpenTelemetry Context must have, and nothing else. */
class ThreeMethods implements OtelContext {
  constructor(readonly inner: OtelContext) {}
  getValue(key: symbol): unknown {
    return this.inner.getValue(key);
  }
  setValue(key: symbol, value: unknown): OtelContext {
    return new ThreeMethods(this.inner.setValue(key, value));
  }
  deleteValue(key: symbol): OtelContext {
    return new ThreeMethods(this.inner.deleteValue(key));
  }
}

/** What libraries do to a context on its way through them. */
const wrappings: [string, (ctx: OtelContext) => OtelContext][] = [
  ['trace.setSpan', (ctx) => trace.setSpan(ctx, span)],
  ['trace.deleteSpan', (ctx) => trace.deleteSpan(ctx)],
  [
    'propagation.setBaggage',
    (ctx) => propagation.setBaggage(ctx, propagation.createBaggage({ k: { value: 'v' } })),
  ],
  ['setValue and deleteValue', (ctx) => ctx.setValue(USER, 'ada').deleteValue(USER)],
  ['a plain OpenTelemetry context', (ctx) => ROOT_CONTEXT.setValue(NODE_KEY, ctx.getValue(NODE_KEY))],
  ['a class of three methods', (ctx) => trace.setSpan(new ThreeMethods(ctx), span)],
  [
    'a class of three methods over a plain one',
    (ctx) => new ThreeMethods(ROOT_CONTEXT.setValue(USER, 1).setValue(NODE_KEY, ctx.getValue(NODE_KEY))),
  ],
];

describe.each(wrappings)('through %s', (_, wrap) => {
  test('the cancellation, its cause and its signal are those of the context within', () => {
    const [ctx, cancel] = withCancel(background());
    const seen = from(wrap(ctx));
    expect([seen.err(), seen.cause(), seen.signal?.aborted]).toEqual([undefined, undefined, false]);
    expect(seen.signal).toBe(ctx.signal);
    cancel('why');
    expect([seen.err(), seen.cause(), seen.signal?.aborted]).toEqual([ctx.err(), 'why', true]);
    expect(() => seen.throwIfDone()).toThrow('context canceled');
  });

  test('the deadline is shared, not copied', () => {
    const { clock, restore } = useManualClock();
    const [ctx] = withTimeout(background(), 50);
    const [child] = withCancel(wrap(ctx));
    expect([child.remaining(), child.deadline(), deadlineStatus().live]).toEqual([50, ctx.deadline(), 1]);
    clock.block(50);
    expect(child.err()).toBe(ctx.err());
    expect(isDeadlineExceeded(ctx.err())).toBe(true);
    restore();
  });

  test('a child is linked to the node itself: one link, gone with the child', () => {
    const [ctx, cancel] = withCancel(background());
    const [child, release] = withCancel(wrap(wrap(ctx)));
    expect(nodeOf(ctx)?.firstChild).toBe(nodeOf(child));
    expect(nodeOf(ctx)?.firstCallback).toBeUndefined();
    release();
    expect(nodeOf(ctx)?.firstChild).toBeUndefined();
    const [second] = withCancel(wrap(ctx));
    cancel('why');
    expect(second.cause()).toBe('why');
    expect(withCancel(wrap(ctx))[0].err()).toBe(ctx.err());
  });
});

test('a context of somebody else’s that has layers of its own is no context of ours', () => {
  class MapContext extends ThreeMethods {
    readonly layers = ['roads', 'rivers'];
  }
  const [inner, cancel] = withCancel(background());
  const map = new MapContext(inner.setValue(USER, 'ada'));
  const view = withValue(map, createContextKey('other'), 1);
  const [child] = withCancel(map);
  expect([view, child, from(map)].map((ctx) => ctx.getValue(USER))).toEqual(['ada', 'ada', 'ada']);
  expect(child.toString()).toBe('MapContext.WithCancel.WithCancel');
  cancel('why');
  expect([view, child, from(map)].map((ctx) => ctx.cause())).toEqual(['why', 'why', 'why']);
});

test('span, baggage and values come along where a context is derived, run and detached', () => {
  const baggage = propagation.createBaggage({ k: { value: 'v' } });
  const parent = propagation.setBaggage(trace.setSpan(ROOT_CONTEXT.setValue(USER, 'ada'), span), baggage);
  const [ctx, release] = withTimeout(parent, 1e6);
  using _ = release;
  for (const each of [ctx, withValue(ctx, createContextKey('other'), 1), run(ctx, (inner) => inner)]) {
    expect(trace.getSpan(each)).toBe(span);
    expect(propagation.getBaggage(each)).toBe(baggage);
    expect(each.getValue(USER)).toBe('ada');
  }
});

test("deleting Curfew's own key detaches, as a root does, and leaves the values", () => {
  const [ctx, cancel] = withCancel(background().setValue(USER, 'ada'));
  const detached = from(ctx.deleteValue(NODE_KEY));
  cancel('why');
  expect([detached.signal, detached.err(), detached.getValue(USER)]).toEqual([undefined, undefined, 'ada']);
});

describe('with AsyncLocalStorageContextManager', () => {
  beforeAll(() => context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable()));
  afterAll(() => context.disable());

  test('the active context is the one that was made active, across an await and in a bound function', async () => {
    const [ctx] = withCancel(background());
    expect(context.with(ctx, () => active())).toBe(ctx);
    expect(context.with(ctx, () => context.active())).toBe(ctx);
    await context.with(ctx, async () => {
      await new Promise((resolve) => setImmediate(resolve));
      expect(active()).toBe(ctx);
    });
    expect(context.bind(ctx, () => active())()).toBe(ctx);
  });

  test('an active context that was re-wrapped keeps its cancellation', () => {
    const [ctx, cancel] = withCancel(background());
    const rewrapped = ROOT_CONTEXT.setValue(NODE_KEY, ctx.getValue(NODE_KEY));
    context.with(rewrapped, () => cancel('why'));
    expect(context.with(rewrapped, () => active().cause())).toBe('why');
  });

  test('callbacks run in the context active where they were registered, not where it is cancelled', async () => {
    const [ctx, cancel] = withCancel(background());
    const seen: unknown[] = [];
    const note = () => seen.push(context.active().getValue(USER));
    context.with(ROOT_CONTEXT.setValue(USER, 'registrar'), () => {
      onEnd(ctx, note);
      afterFunc(ctx, note);
    });
    context.with(ROOT_CONTEXT.setValue(USER, 'canceller'), () => cancel());
    await Promise.resolve();
    expect(seen).toEqual(['registrar', 'registrar']);
  });
});

describe('without a ContextManager', () => {
  test('contexts that are passed on work; active() is a root', async () => {
    expect(context.with(withCancel(background())[0], () => active().signal)).toBeUndefined();
    const [ctx, cancel] = withCancel(background());
    const said: unknown[] = [];
    onEnd(ctx, () => said.push('onEnd'));
    afterFunc(ctx, () => said.push('afterFunc'));
    const outcome = scope(ctx, { name: 'inner' }, async (inner) => {
      said.push(run(inner, (again) => again.err()));
      await sleep(inner, 60_000);
    }).catch(isCanceled);
    cancel('why');
    expect(await outcome).toBe(true);
    expect(said).toEqual([undefined, 'onEnd', 'afterFunc']);
  });
});

const here = {
  api: require('@curfew/context') as InstalledCopy['api'],
  spi: require('@curfew/context/spi') as InstalledCopy['spi'],
};

describe('two installed copies of one protocol', () => {
  const copy = installCopy();
  afterAll(() => copy.remove());
  const pairs = [
    { name: 'this one above the other', up: here, down: copy },
    { name: 'the other above this one', up: copy, down: here },
  ];

  test('are two: neither their functions nor their errors are the same', () => {
    expect(copy.api.withCancel).not.toBe(withCancel);
    expect(copy.api.CanceledError).not.toBe(here.api.CanceledError);
  });

  test.each(pairs)('make one tree, with $name', ({ up, down }) => {
    const [parent, cancel] = up.api.withCancel(up.api.background());
    const [child] = down.api.withCancel(parent);
    const [grandchild] = up.api.withCancel(down.api.withValue(child, USER, 'ada'));
    expect(up.spi.nodeOf(parent)?.firstChild).toBe(child);
    expect(grandchild.getValue(USER)).toBe('ada');
    const said: unknown[] = [];
    down.api.onEnd(parent, () => said.push(grandchild.cause()));
    child.signal.addEventListener('abort', () => said.push(child.signal.reason));
    cancel('why');
    expect(said).toEqual([parent.err(), 'why']);
    for (const { api } of [up, down]) {
      expect([child, grandchild].map((ctx) => api.isCanceled(ctx.err()))).toEqual([true, true]);
    }
    expect(up.spi.nodeOf(parent)?.firstChild).toBeUndefined();
    expect(child.toString()).toBe('context.Background.WithCancel.WithCancel');
  });

  test.each(pairs)('cancel at once within what a merge ends, with $name', ({ up, down }) => {
    const [root, cancelRoot] = up.api.withCancel(up.api.background());
    const [merged] = down.api.merge(down.api.background(), root);
    const [other, cancelOther] = up.api.withCancel(up.api.background());
    const said: string[] = [];
    up.api.onEnd(other, () => said.push('other ended'));
    up.api.onEnd(merged, () => {
      cancelOther('why');
      said.push('its cancel returned');
    });
    cancelRoot('why');
    expect(said).toEqual(['other ended', 'its cancel returned']);
  });

  test.each(pairs)('share the deadline, the clock and the timer, with $name', ({ up, down }) => {
    const { clock, restore } = useManualClock();
    const [parent] = up.api.withTimeout(up.api.background(), 50, { cause: 'late' });
    const [child] = down.api.withTimeout(parent, 80);
    const [sooner] = down.api.withTimeout(parent, 20);
    expect([child.remaining(), sooner.remaining(), clock.timers.length]).toEqual([50, 20, 1]);
    expect(up.spi.deadlineStatus()).toEqual({ live: 2, armed: true });
    expect(down.spi.deadlineStatus()).toEqual({ live: 2, armed: true });
    clock.advance(20);
    expect([isDeadlineExceeded(sooner.err()), parent.err()]).toEqual([true, undefined]);
    clock.block(30);
    expect([child.cause(), child.err() === parent.err()]).toEqual(['late', true]);
    expect(up.api.isDeadlineExceeded(child.err()) && down.api.isDeadlineExceeded(child.err())).toBe(true);
    restore();
  });

  test.each(pairs)('share the hooks and the work in flight, with $name', async ({ up, down }) => {
    const told: unknown[] = [];
    const stop = up.spi.subscribe({
      contextStarted: ({ node }) => void told.push(`started ${node.name}`),
      operationBegun: ({ name }) => void told.push(`begun ${name}`),
      contextEnded: ({ node, ending: { outcome } }) => void told.push(`${node.name} ${outcome}`),
    });
    const [parent, release] = up.api.withCancel(up.api.background(), { name: 'parent' });
    const [child] = down.api.withCancel(parent, { name: 'child' });
    const work = down.api
      .track(child, down.api.sleep(child, 60_000), { name: 'load' })
      .catch(down.api.isCanceled);
    release();
    stop();
    expect(await work).toBe(true);
    expect(told).toEqual([
      'started parent',
      'started child',
      'begun load',
      'parent canceled',
      'child canceled',
    ]);
  });

  test.each(pairs)(
    'know who calls without a ContextManager, whichever began the work, with $name',
    ({ up, down }) => {
      const [ctx, release] = up.api.withCancel(up.api.background());
      const node = up.spi.nodeOf(ctx);
      down.api.run(ctx, () => release());
      expect(node?.ending?.outcome).toBe('completed');
    },
  );

  test.each(pairs)('call a context by the name that it was given, with $name', ({ up, down }) => {
    const [ctx, stop] = up.api.notifyContext(up.api.background(), 'SIGUSR2');
    expect(down.api.withCancel(ctx)[0].toString()).toBe(
      'signal.NotifyContext(context.Background, [user defined signal 2]).WithCancel',
    );
    stop();
  });

  test.each(pairs)('refuse sixteen calls for one end, not sixteen each, with $name', ({ up, down }) => {
    const [ctx, cancel] = up.api.withCancel(up.api.background());
    cancel('why');
    const taken = [up, down].map(({ spi }) => Array.from({ length: 20 }, () => spi.takeRefusal(ctx)));
    expect(taken.flat().filter(Boolean)).toHaveLength(16);
  });

  test.each(pairs)('give way once in ten milliseconds, not once each, with $name', async ({ up, down }) => {
    const { clock, restore } = useManualClock();
    clock.advance(1e6);
    await up.api.checkpoint(up.api.background());
    let turned = false;
    const turn = new Promise<void>((resolve) => setImmediate(resolve)).then(() => (turned = true));
    await down.api.checkpoint(down.api.background());
    expect(turned).toBe(false);
    await turn;
    restore();
  });

  test.each(pairs)('take the guard away with the last that goes, with $name', ({ up, down }) => {
    const { emit } = process;
    const undo = [up, down].map(({ spi }) => spi.installGuard());
    expect(process.emit).not.toBe(emit);
    for (const each of undo) each();
    expect(process.emit).toBe(emit);
  });

  test('say once, and not each, that there is no ContextManager', () => {
    const program = `
      const { diag } = require('@opentelemetry/api');
      diag.setLogger({ error() {}, warn: (text) => console.log(text), info() {}, debug() {}, verbose() {} });
      for (const c of [require('@curfew/context'), require(process.argv[1])])
        c.run(c.withCancel(c.background())[0], () => undefined);
    `;
    const { stdout } = spawnSync(process.execPath, ['-e', program, copy.path], {
      encoding: 'utf8',
      cwd: __dirname,
    });
    expect(stdout.match(/no ContextManager/g)).toHaveLength(1);
  });

  test.each(pairs)('each release has an error of its own, whoever asks, with $name', async ({ up, down }) => {
    const errors: unknown[] = [];
    for (let round = 0; round < 2; round++) {
      const [ctx, release] = up.api.withCancel(up.api.background());
      release();
      errors.push(await down.api.sleep(ctx, 0).catch((error: unknown) => error));
      expect(ctx.err()).toBe(errors[round]);
    }
    expect(errors[0]).not.toBe(errors[1]);
  });
});

/** Callbacks and children that a node of any layout holds. */
function held(ctx: CancelContext): unknown[] {
  const node = ctx as unknown as Record<string, unknown>;
  return ['firstChild', 'firstCallback', 'firstChildTwo', 'firstCallbackTwo'].map((field) => node[field]);
}
const NOTHING = [undefined, undefined, undefined, undefined];

describe('two installed copies of different protocols', () => {
  const copy = installCopy({ anotherProtocol: true });
  afterAll(() => copy.remove());
  const pairs = [
    { name: 'this one above the other', up: here, down: copy },
    { name: 'the other above this one', up: copy, down: here },
  ];

  test('do not take one another’s nodes for their own', () => {
    const [ctx] = copy.api.withCancel(copy.api.background());
    expect([copy.spi.PROTOCOL, nodeOf(ctx), Object.keys(ctx).includes('endingTwo')]).toEqual([
      2,
      undefined,
      true,
    ]);
  });

  test.each(pairs)('pass a cancellation and its cause down, with $name', ({ up, down }) => {
    const [parent, cancel] = up.api.withCancel(up.api.background());
    const [child] = down.api.withCancel(trace.setSpan(parent, span));
    const [grandchild] = up.api.withCancel(child);
    expect([child.err(), child.signal.aborted]).toEqual([undefined, false]);
    cancel('why');
    for (const ctx of [child, grandchild]) {
      expect([ctx.cause(), ctx.signal.aborted, trace.getSpan(ctx)]).toEqual(['why', true, span]);
      expect([here, copy].map(({ api }) => api.isCanceled(ctx.err()))).toEqual([true, true]);
    }
    expect([parent, child].map(held)).toEqual([NOTHING, NOTHING]);
  });

  test.each(pairs)(
    'a release above is a release below, with the error as its cause, with $name',
    ({ up, down }) => {
      const [parent, release] = up.api.withCancel(up.api.background());
      const [child] = down.api.withCancel(parent);
      release();
      expect([isCanceled(child.err()), child.cause()]).toEqual([true, child.err()]);
    },
  );

  test.each(pairs)('a deadline above ends what is below, with its cause, with $name', ({ up, down }) => {
    const { clock, restore } = useManualClock();
    const resets = [here, copy].map(({ spi }) => spi.useClock(clock));
    const [parent] = up.api.withTimeout(up.api.background(), 50, { cause: 'late' });
    const [child] = down.api.withTimeout(parent, 80);
    clock.advance(50);
    expect([down.api.isDeadlineExceeded(child.err()), child.cause()]).toEqual([true, 'late']);
    for (const reset of resets) reset();
    restore();
  });

  test.each(pairs)(
    'a child that ends leaves no callback above and touches nobody, with $name',
    ({ up, down }) => {
      const [parent] = up.api.withCancel(up.api.background());
      for (const cause of [undefined, 'mine']) {
        const [child, cancel] = down.api.withCancel(parent);
        expect(held(parent)).not.toEqual(NOTHING);
        cancel(cause);
        expect([isCanceled(child.err()), parent.err()]).toEqual([true, undefined]);
        expect(held(parent)).toEqual(NOTHING);
      }
    },
  );

  test.each(pairs)(
    'what is derived under an ended one is born done, with its cause, with $name',
    ({ up, down }) => {
      const [parent, cancel] = up.api.withCancel(up.api.background());
      cancel('why');
      const [child] = down.api.withTimeout(parent, 50);
      expect([child.cause(), down.spi.deadlineStatus().live]).toEqual(['why', 0]);
    },
  );

  test.each(pairs)(
    'a value put over the other’s context answers as that context does, with $name',
    ({ up, down }) => {
      const [parent, cancel] = up.api.withTimeout(up.api.background(), 1e6);
      const view = down.api.withValue(new ThreeMethods(parent), USER, 'ada');
      expect(view.deadline()).toEqual(parent.deadline());
      expect(view.signal).toBe(parent.signal);
      expect(view.remaining()).toBeGreaterThan(0);
      cancel('why');
      expect([view.err(), view.cause(), view.getValue(USER)]).toEqual([parent.err(), 'why', 'ada']);
      expect(down.api.withCancel(down.api.withoutCancel(view))[0].err()).toBeUndefined();
    },
  );

  test.each(pairs)('the name tells the whole derivation, with $name', ({ up, down }) => {
    const [parent] = up.api.withCancel(up.api.withValue(up.api.background(), USER, 'ada'));
    const [child] = down.api.withCancel(down.api.withValue(parent, USER, 'bob'));
    expect(child.toString()).toBe(
      'context.Background.WithValue(user, ada).WithCancel.WithValue(user, bob).WithCancel',
    );
  });

  test.each(pairs)('each tells its own hooks alone, with $name', ({ up, down }) => {
    const told: [string, ContextNode][] = [];
    const stops = [up, down].map(({ spi }, index) =>
      spi.subscribe({ contextEnded: ({ node }) => void told.push([['up', 'down'][index] as string, node]) }),
    );
    const [parent, cancel] = up.api.withCancel(up.api.background());
    const [child] = down.api.withCancel(parent);
    cancel('why');
    for (const stop of stops) stop();
    expect(told.map(([whose, node]) => [whose, node === parent, node === child])).toEqual([
      ['up', true, false],
      ['down', false, true],
    ]);
  });
});

test('a foreign signal and a Curfew ancestor are both heard: whichever comes first', () => {
  const controller = new AbortController();
  const [parent, cancel] = withCancel(background());
  const [first] = withSignal(trace.setSpan(parent, span), controller.signal);
  cancel('parent');
  controller.abort('signal');
  const [second] = withSignal(parent, controller.signal);
  expect([first.cause(), second.cause()]).toEqual(['parent', 'parent']);
});
