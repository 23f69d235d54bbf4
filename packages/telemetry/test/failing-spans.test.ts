import { background, onEnd, track, withCancel, withTimeout } from '@curfew/context';
import { SpanKind, trace, type TracerProvider } from '@opentelemetry/api';
import {
  BatchSpanProcessor,
  SimpleSpanProcessor,
  type SpanExporter,
  type SpanProcessor,
} from '@opentelemetry/sdk-trace-node';
import { fail, foreignSpan } from './foreign-span';
import { figure, observe, type Observed } from './observed';

let observed: Observed;
afterEach(() => observed.stop());

const errors = () => observed.errors();
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

test.each(['isRecording', 'setAttributes', 'addEvent', 'setStatus'] as const)(
  'a span whose %s throws harms neither the cancellation nor what else it marks and counts, and is counted once',
  (method) => {
    observed = observe();
    const { spanProcessor } = observed.telemetry;
    const [ctx, cancel] = withTimeout(background(), 1000);
    const bad = foreignSpan({ kind: SpanKind.CLIENT, [method]: fail(method) });
    spanProcessor.onStart(bad, ctx);
    const good = observed.tracer.startSpan('good', {}, ctx);
    const heard: unknown[] = [];
    onEnd(ctx, () => heard.push(ctx.err()?.name));
    const [child] = withCancel(ctx);
    const work = track(child, new Promise(() => undefined));
    observed.clock.advance(1000);
    cancel();
    expect([heard, child.err()?.name]).toEqual([['TimeoutError'], 'TimeoutError']);
    expect(errors()).toBe(1);
    expect(figure(observed.telemetry, 'curfew.context.active')).toBe(0);
    observed.clock.advance(1000);
    expect(figure(observed.telemetry, 'curfew.orphan.operations')).toBe(3);
    good.end();
    spanProcessor.onEnd(bad);
    expect(observed.only('good').attributes).toMatchObject({ 'curfew.cancel.reason': 'deadline_exceeded' });
    expect(figure(observed.telemetry, 'curfew.operation.active')).toBe(1);
    void work;
  },
);

test('a span that throws when it starts too late is counted as any other', () => {
  observed = observe();
  const { spanProcessor } = observed.telemetry;
  const [ctx, cancel] = withCancel(background());
  cancel('why');
  const bad = foreignSpan({ setAttributes: fail('no attributes') });
  spanProcessor.onStart(bad, ctx);
  expect(errors()).toBe(1);
  observed.clock.advance(1000);
  spanProcessor.onEnd(bad);
  expect(figure(observed.telemetry, 'curfew.orphan.operations')).toBe(1);
  expect(figure(observed.telemetry, 'curfew.operation.active')).toBe(0);
});

const noSymbols: ProxyHandler<ReturnType<typeof foreignSpan>> = {
  get(target, key) {
    if (typeof key === 'symbol') throw new Error('no such field');
    return Reflect.get(target, key) as unknown;
  },
};

test.each([
  ['is frozen', Object.freeze(foreignSpan()), 1],
  ['is a proxy which takes no field', new Proxy(foreignSpan(), { set: () => false }), 1],
  ['is a proxy which throws when it is looked at', new Proxy(foreignSpan(), noSymbols), 0],
])('a span that %s ends as it began, and its application hears nothing of it', (_, span, counted) => {
  observed = observe();
  const { spanProcessor } = observed.telemetry;
  const [ctx, cancel] = withCancel(background());
  const active = () => figure(observed.telemetry, 'curfew.operation.active');
  spanProcessor.onStart(span, ctx);
  spanProcessor.onStart(span, ctx);
  expect(active()).toBe(counted);
  spanProcessor.onEnd(span);
  spanProcessor.onEnd(span);
  expect(active()).toBe(0);
  cancel();
});

test('a span that throws when it is told to be an orphan throws in no timer of ours, and the next is told', () => {
  observed = observe({ telemetry: { orphanReportAfter: 5000 } });
  const [ctx, cancel] = withCancel(background());
  let writes = 0;
  const addEvent = () => (++writes > 1 ? fail('no more')() : bad);
  const bad: ReturnType<typeof foreignSpan> = foreignSpan({ addEvent });
  observed.telemetry.spanProcessor.onStart(bad, ctx);
  const good = observed.tracer.startSpan('good', {}, ctx);
  cancel('why');
  observed.clock.advance(60_000);
  expect([writes, errors()]).toEqual([2, 1]);
  good.end();
  expect(observed.only('good').events).toHaveLength(2);
});

test.each<[string, TracerProvider]>([
  ['a provider that throws', { getTracer: fail('no tracer') }],
  [
    'a tracer that throws',
    { getTracer: () => ({ startSpan: fail('no span'), startActiveSpan: fail('no span') }) },
  ],
  [
    'a span that throws when it ends',
    {
      getTracer: () => ({
        startSpan: () => foreignSpan({ end: fail('no end') }),
        startActiveSpan: fail('unused'),
      }),
    },
  ],
])('%s costs us our spans and nobody anything else', async (_, provider) => {
  observed = observe();
  trace.disable();
  trace.setGlobalTracerProvider(provider);
  let finish!: () => void;
  const [ctx, cancel] = withCancel(background());
  void track(ctx, new Promise<void>((resolve) => (finish = resolve)));
  cancel('why');
  expect([ctx.cause(), errors()]).toEqual(['why', 1]);
  observed.clock.advance(2000);
  finish();
  await turn();
  expect(errors()).toBe(2);
  expect(figure(observed.telemetry, 'curfew.orphan.time')).toBe(2);
  expect(figure(observed.telemetry, 'curfew.orphan.active')).toBe(0);
});

const processor = (overrides: Partial<SpanProcessor>): SpanProcessor => ({
  onStart: () => undefined,
  onEnd: () => undefined,
  forceFlush: () => Promise.resolve(),
  shutdown: () => Promise.resolve(),
  ...overrides,
});

test.each(['onStart', 'onEnd'] as const)(
  "a user's processor whose %s throws reaches whoever starts spans, and no cancellation",
  (method) => {
    observed = observe({ processors: [processor({ [method]: fail('mine') })] });
    const [ctx, cancel] = withCancel(background());
    // So it is without us too.
    expect(() => observed.tracer.startSpan('own', {}, ctx).end()).toThrow('mine');
    cancel('why');
    expect([ctx.cause(), errors()]).toEqual(['why', 1]);
  },
);

const exporter = (overrides: Partial<SpanExporter>): SpanExporter => ({
  export: (_, done) => done({ code: 0 }),
  shutdown: () => Promise.resolve(),
  ...overrides,
});

test.each<[string, SpanExporter]>([
  ['throws', exporter({ export: fail('no export') })],
  ['never calls back', exporter({ export: () => undefined })],
  ['fails each time', exporter({ export: (_, done) => done({ code: 1, error: new Error('refused') }) })],
])(
  'an exporter that %s, in either processor of the SDK, leaves cancellations and figures alone',
  async (_, bad) => {
    const batch = new BatchSpanProcessor(bad, { maxExportBatchSize: 1, exportTimeoutMillis: 1 });
    observed = observe({ processors: [new SimpleSpanProcessor(bad), batch] });
    for (let life = 0; life < 10; life++) {
      const [ctx, cancel] = withCancel(background());
      const span = observed.tracer.startSpan('work', {}, ctx);
      cancel('why');
      span.end();
      expect(ctx.cause()).toBe('why');
    }
    await turn();
    expect(figure(observed.telemetry, 'curfew.context.cancellations')).toBe(10);
    expect(figure(observed.telemetry, 'curfew.cancel.settle.duration')).toBe(10);
    expect(errors()).toBe(0);
    expect(observed.exported('curfew.cancel')).toHaveLength(10);
  },
);

test('an exporter that rejects when it is shut down tells whoever shut it down; we are done all the same', async () => {
  const stuck = new SimpleSpanProcessor(exporter({ shutdown: () => Promise.reject(new Error('stuck')) }));
  observed = observe({ processors: [stuck] });
  const { spanProcessor } = observed.telemetry;
  await expect(observed.provider.shutdown()).rejects.toThrow('stuck');
  await expect(Promise.all([spanProcessor.shutdown(), spanProcessor.forceFlush()])).resolves.toHaveLength(2);
});
