import { active, background, merge, run, track, withCancel, type Context } from '@curfew/context';
import { end, nodeOf } from '@curfew/context/spi';
import { context, ROOT_CONTEXT, SpanKind, trace, TraceFlags, type Span } from '@opentelemetry/api';
import { suppressTracing } from '@opentelemetry/core';
import type { SpanProcessor } from '@opentelemetry/sdk-trace-node';
import { figure, observe, type Observed } from './observed';

const REMOTE_TRACE = '0af7651916cd43dd8448eb211c80319c';
const remote = trace.setSpanContext(ROOT_CONTEXT, {
  traceId: REMOTE_TRACE,
  spanId: 'b7ad6b7169203331',
  traceFlags: TraceFlags.SAMPLED,
  isRemote: true,
});

let observed: Observed;
afterEach(() => observed.stop());

/** Where a child of a span hangs that needs no link. */
const childOf = (span: Span) => {
  const { traceId, spanId } = span.spanContext();
  return { traceId, parent: spanId, links: [] as object[] };
};

/** Where a span of ours hangs. */
const placeOf = (name: string) => {
  const span = observed.only(name);
  return {
    traceId: span.spanContext().traceId,
    parent: span.parentSpanContext?.spanId,
    links: span.links.map(({ context: { traceId, spanId } }) => ({ traceId, spanId })),
  };
};

/** Settles a promise and lets what waits for it run. */
const settle = async (resolve: () => void) => {
  resolve();
  await new Promise((done) => setImmediate(done));
};

test.each<[string, (ctx: Context) => Span]>([
  ['that begins a trace of its own', (ctx) => observed.tracer.startSpan('job', { root: true }, ctx)],
  [
    'whose parent is in another trace than its context',
    (ctx) => observed.tracer.startSpan('job', {}, trace.setSpan(ctx, observed.tracer.startSpan('other'))),
  ],
])(
  'the span of an orphan %s is in the trace of the work, and links to where the context was derived',
  (_, start) => {
    observed = observe();
    const request = observed.tracer.startSpan('request');
    const [ctx, cancel] = withCancel(trace.setSpan(background(), request));
    const work = start(ctx);
    cancel('why');
    observed.clock.advance(2000);
    work.end();
    const { traceId, spanId } = request.spanContext();
    expect(work.spanContext().traceId).not.toBe(traceId);
    expect(placeOf('curfew.orphan')).toEqual({ ...childOf(work), links: [{ traceId, spanId }] });
    expect(placeOf('curfew.cancel')).toEqual(childOf(request));
  },
);

test('within one trace the parent says all, and there is no link', () => {
  observed = observe();
  const request = observed.tracer.startSpan('request');
  const [ctx, cancel] = withCancel(trace.setSpan(background(), request));
  const work = observed.tracer.startSpan('query', {}, ctx);
  cancel('why');
  observed.clock.advance(2000);
  work.end();
  expect(placeOf('curfew.orphan')).toEqual(childOf(work));
});

test('an operation that runs in no span is a child of the span under which its context was derived', async () => {
  observed = observe();
  const request = observed.tracer.startSpan('request');
  const [ctx, cancel] = withCancel(trace.setSpan(background(), request));
  let finish!: () => void;
  void track(ctx, new Promise<void>((resolve) => (finish = resolve)));
  cancel('why');
  observed.clock.advance(2000);
  await settle(finish);
  expect(placeOf('curfew.orphan')).toEqual(childOf(request));
});

test('a request whose first span begins another trace is told of in the trace of its caller', () => {
  observed = observe();
  const [ctx] = withCancel(remote, { name: 'http.server' });
  const first = observed.tracer.startSpan('background', { root: true }, ctx);
  end(ctx, { origin: 'client_disconnect' });
  first.end();
  expect(placeOf('curfew.cancel')).toEqual({ traceId: REMOTE_TRACE, parent: 'b7ad6b7169203331', links: [] });
});

test('a request that came without a trace is told of in that of its own span', () => {
  observed = observe();
  const [ctx] = withCancel(background(), { name: 'http.server' });
  const server = observed.tracer.startSpan('GET /', { kind: SpanKind.SERVER }, ctx);
  end(ctx, { origin: 'client_disconnect' });
  server.end();
  expect(placeOf('curfew.cancel')).toEqual(childOf(server));
});

test('each cancellation in a chain of merges is told of where its own context is, in whatever order they are delivered', () => {
  observed = observe();
  const [ctx, cancel] = withCancel(background(), { name: 'first' });
  const [second] = merge(background(), ctx, { name: 'second' });
  const [third] = merge(background(), second, { name: 'third' });
  const open = [ctx, second, third].map((each) => observed.tracer.startSpan('work', {}, each));
  cancel('why');
  open.forEach((span) => span.end());
  const parents = observed
    .exported('curfew.cancel')
    .map(({ attributes, parentSpanContext }) => [
      attributes['curfew.context.name'],
      open.findIndex((span) => span.spanContext().spanId === parentSpanContext?.spanId),
    ]);
  expect(Object.fromEntries(parents)).toEqual({ first: 0, second: 1, third: 2 });
});

test('a context that was derived with tracing suppressed, as in an exporter, gets no span of ours', async () => {
  observed = observe();
  const [ctx, cancel] = withCancel(suppressTracing(background()));
  let finish!: () => void;
  void run(ctx, () => new Promise<void>((resolve) => (finish = resolve)));
  cancel('why');
  observed.clock.advance(2000);
  await settle(finish);
  expect(['curfew.cancel', 'curfew.orphan'].map((name) => observed.exported(name).length)).toEqual([0, 0]);
  expect(figure(observed.telemetry, 'curfew.orphan.operations')).toBe(1);
});

test('our spans are started and exported outside of any context, and are operations of none', () => {
  const seen: [when: string, name: string, node: unknown][] = [];
  const watch = (when: string) => (span: object) =>
    void seen.push([when, (span as { name: string }).name, nodeOf(context.active())]);
  const watcher: SpanProcessor = {
    onStart: watch('start'),
    onEnd: watch('end'),
    forceFlush: () => Promise.resolve(),
    shutdown: () => Promise.resolve(),
  };
  observed = observe({ processors: [watcher] });
  const [outer, cancel] = withCancel(background());
  context.with(outer, () => {
    const [ctx, cancelInner] = withCancel(active());
    const work = observed.tracer.startSpan('work', {}, ctx);
    cancelInner('why');
    observed.clock.advance(2000);
    work.end();
  });
  expect(seen).toEqual([
    ['start', 'work', outer],
    ['start', 'curfew.cancel', undefined],
    ['end', 'curfew.cancel', undefined],
    ['start', 'curfew.orphan', undefined],
    ['end', 'curfew.orphan', undefined],
    ['end', 'work', outer],
  ]);
  expect(figure(observed.telemetry, 'curfew.operation.active')).toBe(0);
  cancel();
});

test('what a user calls an operation is cut and made printable before it stands on a span', async () => {
  observed = observe();
  const [ctx, cancel] = withCancel(background());
  const finish: (() => void)[] = [];
  for (const name of ['two\nlines', 'x'.repeat(1e6), { toString: () => 'no text' } as never]) {
    void track(ctx, new Promise<void>((resolve) => finish.push(resolve)), { name });
  }
  cancel('why');
  observed.clock.advance(2000);
  await settle(() => finish.forEach((resolve) => resolve()));
  expect(
    observed.exported('curfew.orphan').map(({ attributes }) => attributes['curfew.operation.name']),
  ).toEqual(['two_lines', 'x'.repeat(100), undefined]);
});
