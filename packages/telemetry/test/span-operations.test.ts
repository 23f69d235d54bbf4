import { background, run, todo, withCancel, withoutCancel, withTimeout } from '@curfew/context';
import { NODE_KEY, retire } from '@curfew/context/spi';
import { context, ROOT_CONTEXT, SpanKind, trace, TraceFlags, type SpanContext } from '@opentelemetry/api';
import { suppressTracing } from '@opentelemetry/core';
import { NodeTracerProvider, SamplingDecision, type Sampler } from '@opentelemetry/sdk-trace-node';
import { figure, observe, type Observed } from './observed';

const REMOTE: SpanContext = {
  traceId: '0af7651916cd43dd8448eb211c80319c',
  spanId: 'b7ad6b7169203331',
  traceFlags: TraceFlags.SAMPLED,
  isRemote: true,
};

let observed: Observed;
afterEach(() => observed.stop());

const active = (kind?: string) =>
  figure(
    observed.telemetry,
    'curfew.operation.active',
    kind === undefined ? {} : { 'curfew.operation.kind': kind },
  );
const settled = () => figure(observed.telemetry, 'curfew.cancel.settle.duration');
const orphans = () => figure(observed.telemetry, 'curfew.orphan.operations');
const breaks = () => figure(observed.telemetry, 'curfew.chain.breaks');

/** A sampler that decides by the name of the span. */
const byName = (decisions: Readonly<Record<string, SamplingDecision>>): Sampler => ({
  shouldSample: (_ctx, _traceId, name) => ({ decision: decisions[name] ?? SamplingDecision.NOT_RECORD }),
  toString: () => 'by name',
});

test('a span that records is an operation even if it is not sampled; of one that does not, no processor hears', () => {
  observed = observe({
    sampler: byName({
      sampled: SamplingDecision.RECORD_AND_SAMPLED,
      recorded: SamplingDecision.RECORD,
      dropped: SamplingDecision.NOT_RECORD,
    }),
  });
  const [ctx, cancel] = withCancel(background());
  const spans = ['sampled', 'recorded', 'dropped'].map((name) => observed.tracer.startSpan(name, {}, ctx));
  expect(active()).toBe(2);
  cancel('why');
  observed.clock.advance(1000);
  expect(orphans()).toBe(2);
  for (const span of spans) span.end();
  expect([active(), settled()]).toEqual([0, 2]);
  expect(['sampled', 'recorded', 'dropped'].map((name) => observed.exported(name).length)).toEqual([1, 0, 0]);
});

test('a span that never ends is in flight while its context lives, and an orphan for ever after', () => {
  observed = observe();
  const [ctx, cancel] = withCancel(background());
  const span = observed.tracer.startSpan('forgotten', { kind: SpanKind.CLIENT }, ctx);
  observed.clock.advance(1e6);
  expect([active('client'), orphans()]).toEqual([1, 0]);
  cancel('why');
  observed.clock.advance(60_000);
  expect([active('client'), orphans(), settled()]).toEqual([1, 1, 0]);
  expect(figure(observed.telemetry, 'curfew.orphan.time')).toBeCloseTo(60, 9);
  // It was told of on the span itself, where somebody may yet see it.
  span.end();
  expect(observed.only('forgotten').events.map(({ name }) => name)).toEqual([
    'curfew.context.canceled',
    'curfew.orphan.running',
  ]);
});

test('a span that is ended twice settles once, whether its context is live, ended or completed', () => {
  observed = observe();
  const derived = [withCancel(background()), withCancel(background()), withCancel(background())] as const;
  const spans = derived.map(([ctx]) => observed.tracer.startSpan('twice', {}, ctx));
  derived[1][1]('why');
  retire(derived[2][0]);
  for (const span of [...spans, ...spans]) span.end();
  derived[0][1]('why');
  expect([active(), settled(), orphans()]).toEqual([0, 1, 0]);
});

test('a span is an operation of the context that its parent context carries, wherever its parent is', () => {
  observed = observe();
  const [ctx, cancel] = withCancel(trace.setSpanContext(ROOT_CONTEXT, REMOTE));
  const span = observed.tracer.startSpan('served', { kind: SpanKind.SERVER }, ctx);
  expect(active('server')).toBe(1);
  cancel('why');
  span.end();
  expect(settled()).toBe(1);
  expect(observed.only('served').spanContext().traceId).toBe(REMOTE.traceId);
});

test('{ root: true } begins a trace of its own, and neither leaves the context nor breaks the chain', () => {
  observed = observe();
  observed.tracer.startActiveSpan('outer', (outer) => {
    const [ctx, cancel] = withCancel(context.active());
    context.with(ctx, () => {
      const span = observed.tracer.startSpan('rooted', { root: true });
      expect([active(), breaks()]).toEqual([1, 0]);
      cancel('why');
      span.end();
      expect(span.spanContext().traceId).not.toBe(outer.spanContext().traceId);
    });
    outer.end();
  });
  expect(settled()).toBe(1);
  expect(observed.only('rooted').attributes).toMatchObject({ 'curfew.cancel.reason': 'canceled' });
});

test('while tracing is suppressed no span is an operation, and ours are not started either', () => {
  observed = observe();
  const [ctx, cancel] = withCancel(suppressTracing(background()));
  const span = observed.tracer.startSpan('export', {}, ctx);
  const unlinked = observed.tracer.startSpan('export', {}, suppressTracing(ROOT_CONTEXT));
  expect(active()).toBe(0);
  // Work under it is still counted: the figures do not depend on tracing.
  void run(ctx, () => new Promise(() => undefined));
  cancel('why');
  observed.clock.advance(5000);
  expect([active('internal'), orphans(), breaks()]).toEqual([1, 1, 0]);
  span.end();
  unlinked.end();
  expect(observed.exported('curfew.cancel')).toHaveLength(0);
});

test('a span under a context of another protocol is none of our operations, and no broken chain', () => {
  observed = observe();
  const [ctx] = withCancel(background());
  const foreign = ROOT_CONTEXT.setValue(NODE_KEY, { protocol: 99 });
  context.with(ctx, () => {
    observed.tracer.startSpan('foreign', {}, foreign).end();
    observed.tracer.startSpan('detached', {}, withoutCancel(ctx)).end();
    observed.tracer.startSpan('remote', {}, trace.setSpanContext(ROOT_CONTEXT, REMOTE)).end();
    observed.tracer.startSpan('consumed', { kind: SpanKind.CONSUMER }, ROOT_CONTEXT).end();
    expect([active(), breaks()]).toEqual([0, 0]);
    observed.tracer.startSpan('root', {}, ROOT_CONTEXT).end();
    observed.tracer.startSpan('to do', {}, todo()).end();
    expect(breaks()).toBe(2);
  });
});

test('the links of a span stay as they are, and it is one operation however many it has', () => {
  observed = observe();
  const [ctx, cancel] = withCancel(background());
  const links = [{ context: REMOTE }, { context: REMOTE, attributes: { why: 'batched' } }];
  const span = observed.tracer.startSpan('batch', { kind: SpanKind.CONSUMER, links }, ctx);
  expect(active('consumer')).toBe(1);
  cancel('why');
  span.end();
  expect([settled(), breaks()]).toEqual([1, 0]);
  expect(observed.only('batch').links).toEqual(links);
});

test('every kind of span is a kind of operation; one that nobody knows is internal', () => {
  observed = observe();
  const [ctx] = withCancel(background());
  const kinds = [undefined, ...[0, 1, 2, 3, 4, 99].map((kind) => kind as SpanKind)];
  for (const kind of kinds) observed.tracer.startSpan('any', kind === undefined ? {} : { kind }, ctx);
  expect(
    ['internal', 'server', 'client', 'producer', 'consumer', 'unnamed'].map((kind) => active(kind)),
  ).toEqual([3, 1, 1, 1, 1, 0]);
});

test('a processor that is registered twice tells of each span once', async () => {
  observed = observe();
  const { spanProcessor } = observed.telemetry;
  const provider = new NodeTracerProvider({ spanProcessors: [spanProcessor, spanProcessor] });
  const [ctx, cancel] = withCancel(background());
  const span = provider.getTracer('second').startSpan('once', {}, ctx);
  expect(active()).toBe(1);
  cancel('why');
  span.end();
  expect([active(), settled()]).toEqual([0, 1]);
  await provider.shutdown();
});

test('a span that starts after the end is in flight from its own start; after a completed one it is no orphan', () => {
  observed = observe();
  const [canceled, cancel] = withCancel(background());
  const [completed] = withTimeout(background(), 50);
  cancel('why');
  retire(completed);
  observed.clock.advance(10_000);
  const late = observed.tracer.startSpan('late', {}, canceled);
  const audit = observed.tracer.startSpan('audit', {}, completed);
  const detached = observed.tracer.startSpan('detached', {}, withoutCancel(canceled));
  observed.clock.advance(999);
  expect([active(), orphans()]).toEqual([2, 0]);
  observed.clock.advance(1);
  expect(orphans()).toBe(1);
  for (const span of [late, audit, detached]) span.end();
  expect([active(), settled()]).toEqual([0, 1]);
  expect(figure(observed.telemetry, 'curfew.orphan.time')).toBeCloseTo(1, 9);
});

test('a span under a context that is older than telemetry settles as any other', () => {
  const [ctx, cancel] = withCancel(background());
  observed = observe();
  const span = observed.tracer.startSpan('early', {}, ctx);
  expect(active()).toBe(1);
  cancel('why');
  span.end();
  expect(active()).toBe(0);
});
