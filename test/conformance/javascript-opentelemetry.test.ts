import {
  afterFunc,
  background,
  from,
  isCanceled,
  onEnd,
  run,
  withCancel,
  withoutCancel,
} from '@curfew/context';
import { NODE_KEY, nodeOf } from '@curfew/context/spi';
import { install, type Telemetry } from '@curfew/telemetry';
import { context, createContextKey, ROOT_CONTEXT, trace } from '@opentelemetry/api';
import { suppressTracing } from '@opentelemetry/core';
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node';
import { row } from './row';
import { deferred, ForeignContext, manualClock, spawned, turn } from './support';

const clock = manualClock();
let telemetry: Telemetry;
let exporter: InMemorySpanExporter;
let provider: NodeTracerProvider;
beforeEach(() => {
  telemetry = install({ orphanGrace: 1000 });
  exporter = new InMemorySpanExporter();
  const spanProcessors = [telemetry.spanProcessor, new SimpleSpanProcessor(exporter)];
  provider = new NodeTracerProvider({ spanProcessors });
  provider.register();
});
afterEach(async () => {
  await provider.shutdown();
  trace.disable();
  context.disable();
  telemetry.uninstall();
});

/** The sum of the points of a family that counts. */
function total(name: Parameters<ReturnType<Telemetry['snapshot']>['get']>[0]): number {
  const points = telemetry.snapshot().get(name)?.points ?? [];
  return points.reduce((sum, point) => sum + ('value' in point ? point.value : 0), 0);
}

row('J32', 'without a ContextManager contexts that are handed on work; a diagnostic says so, once', () => {
  const { lines, status } = spawned(`
    const { diag } = require('@opentelemetry/api');
    const quiet = () => undefined;
    diag.setLogger({ error: quiet, info: quiet, debug: quiet, verbose: quiet, warn: (text) => console.log(text) });
    async function main() {
      for (let time = 0; time < 2; time++) {
        await c.scope({ timeout: 1000 }, async (ctx) => {
          const [child, cancel] = c.withCancel(ctx);
          cancel('why');
          console.log(String(c.active()), child.cause(), ctx.remaining() > 0);
        });
      }
    }
    main();
  `);
  const said = 'context.Background why true';
  expect([lines, status]).toEqual([[expect.stringMatching(/no ContextManager/), said, said], 0]);
});

row('J33', 'callbacks run in the context active at registration, not in the canceller’s', async () => {
  const key = createContextKey('who');
  const seen: unknown[] = [];
  const look = () => void seen.push(context.active().getValue(key));
  const [ctx, cancel] = withCancel(background());
  context.with(ROOT_CONTEXT.setValue(key, 'registrar'), () => {
    onEnd(ctx, look);
    afterFunc(ctx, look);
  });
  onEnd(ctx, look);
  context.with(ROOT_CONTEXT.setValue(key, 'canceller'), () => cancel());
  await turn();
  expect(seen).toEqual(['registrar', undefined, 'registrar']);
});

/** A second copy of the package, as a second install in one process. */
function secondCopy(): typeof import('@curfew/context') {
  let copy: typeof import('@curfew/context') | undefined;
  jest.isolateModules(() => {
    copy = require('@curfew/context') as typeof import('@curfew/context');
  });
  return copy!;
}

row('J34', 'two installed copies make one tree, by one registered key and by structure', () => {
  const other = secondCopy();
  expect(other.withCancel).not.toBe(withCancel);
  expect(NODE_KEY).toBe(Symbol.for('@curfew/context.node.v1'));
  const [parent, cancel] = withCancel(background());
  const [middle] = other.withCancel(parent);
  const [leaf] = withCancel(middle);
  expect([nodeOf(middle)?.parent, nodeOf(leaf)?.parent]).toEqual([nodeOf(parent), nodeOf(middle)]);
  const order: string[] = [];
  onEnd(leaf, () => order.push('leaf'));
  other.onEnd(parent, () => order.push('parent'));
  cancel('why');
  expect([order, leaf.cause(), middle.err() === leaf.err()]).toEqual([['parent', 'leaf'], 'why', true]);
});

row('J35', 'errors are told by a registered brand, across copies and through causes', () => {
  const other = secondCopy();
  const wrapped = new Error('wrapped', { cause: new other.CanceledError() });
  expect(new other.CanceledError() instanceof Error).toBe(true);
  expect([
    isCanceled(wrapped),
    isCanceled(new other.DeadlineExceededError()),
    isCanceled(new Error()),
  ]).toEqual([true, false, false]);
  const [ctx, cancel] = withCancel(background());
  cancel();
  expect([other.isCanceled(ctx.err()), other.reasonOf(ctx.err())]).toEqual([true, 'canceled']);
});

row('J36', 'a context of any class will do that has the three methods', () => {
  const [ctx, cancel] = withCancel(new ForeignContext(ROOT_CONTEXT));
  const span = trace.wrapSpanContext({ traceId: '1'.repeat(32), spanId: '2'.repeat(16), traceFlags: 1 });
  const rewrapped = trace.setSpan(new ForeignContext(ctx), span);
  const [child] = withCancel(rewrapped);
  expect([nodeOf(child)?.parent, trace.getSpan(child)]).toEqual([nodeOf(ctx), span]);
  cancel();
  expect(isCanceled(from(rewrapped).err())).toBe(true);
});

row('J37', 'deleting our key, or starting from the root, detaches', () => {
  const key = createContextKey('key');
  const [ctx, cancel] = withCancel(background().setValue(key, 'kept'));
  const detached = [
    ctx.deleteValue(NODE_KEY),
    from(new ForeignContext(ctx).deleteValue(NODE_KEY)),
    from(ROOT_CONTEXT),
  ];
  cancel();
  expect(detached.map((each) => [each.err(), each.signal, each.getValue(key)])).toEqual([
    [undefined, undefined, 'kept'],
    [undefined, undefined, 'kept'],
    [undefined, undefined, undefined],
  ]);
});

row(
  'J38',
  'a cancellation after the end of a span is counted, and has a span of its own; the ended one gets nothing',
  () => {
    const [ctx, cancel] = withCancel(background(), { name: 'job' });
    trace.getTracer('test').startSpan('done', {}, ctx).end();
    cancel('late');
    const spans = Object.fromEntries(exporter.getFinishedSpans().map((span) => [span.name, span]));
    expect(Object.keys(spans)).toEqual(['done', 'curfew.cancel']);
    expect([spans.done?.events, spans.done?.attributes]).toEqual([[], {}]);
    expect(total('curfew.context.cancellations')).toBe(1);
  },
);

/** How many orphans there are after the grace: of `run`, and of a span that instrumentation left open. */
async function orphans(): Promise<{ afterRun: number; afterSpan: number; counted: number; running: number }> {
  const work = deferred();
  const [ctx, cancel] = withCancel(background());
  const running = run(ctx, () => work.promise);
  void Promise.resolve(work.promise);
  cancel('why');
  clock.advance(1500);
  const afterRun = total('curfew.orphan.active');
  const [observed, end] = withCancel(background());
  const span = trace.getTracer('test').startSpan('instrumented', {}, observed);
  end('why');
  clock.advance(1500);
  const afterSpan = total('curfew.orphan.active');
  span.end();
  work.resolve();
  await running;
  return {
    afterRun,
    afterSpan,
    counted: total('curfew.orphan.operations'),
    running: total('curfew.orphan.active'),
  };
}

row(
  'J39',
  'only work started through run is tracked; what outlives its context is counted as an orphan',
  async () => {
    const { afterRun, afterSpan } = await orphans();
    expect(afterRun).toBe(1);
    expect(afterSpan).toBe(1);
  },
  async () => {
    expect(await orphans()).toEqual({ afterRun: 1, afterSpan: 2, counted: 2, running: 0 });
  },
);

row('J40', 'where tracing is suppressed Curfew makes no span of its own', () => {
  const cancelled = (suppressed: boolean) => {
    const root = suppressed ? suppressTracing(background()) : background();
    const [ctx, cancel] = withCancel(withoutCancel(root), { name: 'export' });
    context.with(ctx, () => withCancel(ctx));
    cancel('why');
    return exporter.getFinishedSpans().length;
  };
  expect([cancelled(true), cancelled(false)]).toEqual([0, 1]);
});
