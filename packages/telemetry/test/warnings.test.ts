import { background, scope, track, withCancel, withTimeout, withValue, type Context } from '@curfew/context';
import { install, type Telemetry, type TelemetryOptions } from '@curfew/telemetry';
import { context, diag, DiagLogLevel, ROOT_CONTEXT, trace } from '@opentelemetry/api';
import { logs } from '@opentelemetry/api-logs';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { InMemoryLogRecordExporter, LoggerProvider, SimpleLogRecordProcessor } from '@opentelemetry/sdk-logs';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { useManualClock, type ManualClock } from '../../../test/manual-clock';

let clock: ManualClock;
let restore: () => void;
let telemetry: Telemetry;
let lines: string[];
let exporter: InMemoryLogRecordExporter;
let provider: LoggerProvider;

beforeEach(() => {
  ({ clock, restore } = useManualClock());
  lines = [];
  const quiet = () => undefined;
  const warn = (message: string) => void lines.push(message);
  diag.setLogger({ error: quiet, warn, info: quiet, debug: quiet, verbose: quiet }, DiagLogLevel.WARN);
  exporter = new InMemoryLogRecordExporter();
  provider = new LoggerProvider({ processors: [new SimpleLogRecordProcessor({ exporter })] });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
});
afterEach(() => {
  telemetry.uninstall();
  restore();
  context.disable();
  logs.disable();
  diag.disable();
});

const start = (options: TelemetryOptions = {}) => {
  telemetry = install({ loggerProvider: provider, ...options });
};
const records = () =>
  exporter.getFinishedLogRecords().map(({ eventName, severityText, body, attributes, spanContext }) => ({
    eventName,
    severityText,
    body,
    attributes,
    traceId: spanContext?.traceId,
  }));
const pending = () => new Promise<void>(() => undefined);
const SPAN = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', traceFlags: 1 };

test('an orphan is told once it outlives the report limit, in its trace, with name, kind, age and reason', () => {
  start({ orphanGrace: 1000, orphanReportAfter: 5000 });
  const traced = trace.setSpanContext(ROOT_CONTEXT, SPAN);
  const [ctx] = withTimeout(traced, 50, { name: 'checkout' });
  void context.with(ctx, () => track(ctx, pending(), { name: 'charge card', kind: 'client' }));
  clock.advance(50);
  clock.advance(4999);
  expect(lines).toEqual([]);
  clock.advance(1);
  const message =
    'Orphan: "charge card" (client) still runs 5 s after its context "checkout" ended (deadline_exceeded).';
  expect(lines).toEqual([`curfew: ${message}`]);
  expect(records()).toEqual([
    {
      eventName: 'curfew.orphan.running',
      severityText: 'WARN',
      body: message,
      attributes: {
        'curfew.context.name': 'checkout',
        'curfew.operation.kind': 'client',
        'curfew.operation.name': 'charge card',
        'curfew.cancel.reason': 'deadline_exceeded',
        'curfew.age': 5,
      },
      traceId: SPAN.traceId,
    },
  ]);
});

test('a lingering context is told once, the oldest by name and the others by number, and a patient one never', () => {
  start({ lingerAfter: 60_000 });
  withCancel(background(), { name: 'worker', longLived: true });
  withCancel(background(), { name: 'forgotten' });
  withCancel(background(), { name: 'released in time' })[1]();
  clock.advance(59_999);
  expect(lines).toEqual([]);
  clock.advance(1);
  clock.advance(600_000);
  withCancel(background(), { name: 'second' });
  clock.advance(1000);
  withCancel(background(), { name: 'third' });
  clock.block(120_000);
  clock.advance(60_000);
  expect(lines).toEqual([
    'curfew: Lingering: context "forgotten" has not ended in 60 s.',
    'curfew: Lingering: context "second" has not ended in 121 s. Nor have 1 more.',
  ]);
  expect(records()).toMatchObject([
    {
      eventName: 'curfew.context.lingering',
      attributes: { 'curfew.context.name': 'forgotten', 'curfew.age': 60 },
    },
    { attributes: { 'curfew.context.name': 'second', 'curfew.age': 121 } },
  ]);
});

test('a broken chain is told with the context that the work should have belonged to', () => {
  start();
  const [request] = withCancel(trace.setSpanContext(ROOT_CONTEXT, SPAN), { name: 'request' });
  context.with(request, () => withCancel(background())[1]());
  expect(lines).toEqual([
    'curfew: Broken chain: a context from background() started from a root inside the live context "request", and will not hear of its end.',
  ]);
  expect(records()).toMatchObject([
    {
      eventName: 'curfew.chain.broken',
      attributes: { 'curfew.context.name': 'request', 'curfew.break.cause': 'background' },
      traceId: SPAN.traceId,
    },
  ]);
});

test('one warning of a sort in ten seconds: a storm is counted, not told, and other sorts are not held back', () => {
  start({ orphanGrace: 0, orphanReportAfter: 0 });
  const [request] = withCancel(background(), { name: 'request' });
  const breakOne = () => context.with(request, () => withCancel(background())[1]());
  for (let index = 0; index < 1000; index++) breakOne();
  expect(lines).toHaveLength(1);
  const [job, cancel] = withCancel(request, { name: 'job' });
  void track(job, pending());
  cancel('why');
  clock.advance(1);
  expect(lines).toHaveLength(2);
  clock.advance(10_000);
  breakOne();
  expect(lines[2]).toMatch(/not hear of its end\. 999 more since the last such line\.$/);
  expect(records()).toHaveLength(3);
});

test('with captureStacks a warning tells where the context was made, in the code of the user alone', async () => {
  start({ orphanGrace: 0, orphanReportAfter: 0, lingerAfter: 1000, captureStacks: 1 });
  function makeForgotten(): Context {
    return withCancel(background(), { name: 'forgotten' })[0];
  }
  const made: Context = withValue(makeForgotten(), Symbol('any'), 1);
  expect(made.err()).toBeUndefined();
  clock.advance(1001);
  const stack = String(records()[0]?.attributes['code.stacktrace']);
  expect(stack.split('\n')[0]).toMatch(/makeForgotten .*warnings\.test\.ts:\d+:\d+\)?$/);
  expect(stack).not.toMatch(/packages\/(context|telemetry)\/(src|dist)/);
  expect(lines[0]).toContain('It was made here:\nat makeForgotten');

  const failed = scope({ timeout: 5, name: 'late' }, pending);
  clock.advance(6);
  await expect(failed).rejects.toThrow('deadline');
  const orphan = records().find(({ eventName }) => eventName === 'curfew.orphan.running');
  expect(orphan?.attributes['code.stacktrace']).toMatch(/warnings\.test\.ts/);
});

test('captureStacks takes the share that was asked for and lets go of what has ended', () => {
  start({ lingerAfter: 1000, captureStacks: 0.25 });
  const stacks: boolean[] = [];
  for (let index = 0; index < 8; index++) {
    const [, release] = withCancel(background(), { name: `n${index}` });
    clock.advance(11_000);
    stacks.push(records().at(-1)?.attributes['code.stacktrace'] !== undefined);
    release();
  }
  expect(stacks).toEqual([false, false, false, true, false, false, false, true]);
});

test('the global LoggerProvider is used where none is given, however late it was registered', () => {
  telemetry = install({ lingerAfter: 1000 });
  withCancel(background(), { name: 'forgotten' });
  logs.setGlobalLoggerProvider(provider);
  clock.advance(1001);
  expect(records()).toHaveLength(1);
});

test('a logger that throws harms nobody, and one that makes calls makes them outside of the ended context', () => {
  const seen: unknown[] = [];
  start({
    loggerProvider: {
      getLogger: () => ({
        emit() {
          seen.push(context.active());
          throw new Error('disk full');
        },
      }),
    },
  });
  const [request] = withCancel(background(), { name: 'request' });
  context.with(request, () => withCancel(background())[1]());
  expect(seen).toEqual([ROOT_CONTEXT]);
  expect(lines).toHaveLength(1);
});

test('bad options are refused by name', () => {
  start();
  expect(() => install({ captureStacks: 2 })).toThrow(/captureStacks must be from 0 to 1, got 2/);
  expect(() => install({ captureStacks: true as never })).toThrow(/captureStacks must be a number/);
  expect(() => install({ lost: 'yes' as never })).toThrow(/lost must be true or false, got "yes"/);
  expect(() => install({ events: 'both' as never })).toThrow(/events must be 'span' or 'log', got "both"/);
  expect(() => install({ loggerProvider: {} as never })).toThrow(
    /loggerProvider must be an object with a method getLogger/,
  );
  expect(() => install(null as never)).toThrow(/options must be an options object, got null/);
});

test("events: 'log' tells the end of a context as records in the trace of each open span, and the span has none", async () => {
  start({ events: 'log' });
  const spans = new InMemorySpanExporter();
  const tracing = new BasicTracerProvider({
    spanProcessors: [telemetry.spanProcessor, new SimpleSpanProcessor(spans)],
  });
  const [left, cancel] = withCancel(background(), { name: 'search' });
  const span = tracing.getTracer('test').startSpan('GET', {}, left);
  const [late] = withTimeout(background(), 50, { name: 'slow' });
  const other = tracing.getTracer('test').startSpan('POST', {}, late);
  cancel('user left');
  clock.advance(50);
  span.end();
  other.end();
  expect(records()).toMatchObject([
    {
      eventName: 'curfew.context.canceled',
      severityText: 'DEBUG',
      attributes: { 'curfew.context.name': 'search' },
      traceId: span.spanContext().traceId,
    },
    {
      eventName: 'curfew.context.deadline_exceeded',
      severityText: 'WARN',
      attributes: { 'curfew.context.name': 'slow' },
      traceId: other.spanContext().traceId,
    },
  ]);
  expect(spans.getFinishedSpans().map(({ events }) => events.length)).toEqual([0, 0]);
  await tracing.shutdown();
});
