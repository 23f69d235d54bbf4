import { active, background, onEnd, scope, withCancel, withoutCancel, withTimeout } from '@curfew/context';
import { end } from '@curfew/context/spi';
import type { Telemetry } from '@curfew/telemetry';
import { context, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace, type Tracer } from '@opentelemetry/api';
import type { ManualClock } from '../../../test/manual-clock';
import { scrape, total } from './exposition';
import { observe, type Observed } from './observed';

let observed: Observed;
let clock: ManualClock;
let telemetry: Telemetry;
let tracer: Tracer;
beforeEach(() => {
  observed = observe();
  ({ clock, telemetry, tracer } = observed);
});
afterEach(() => observed.stop());

const exported = (name: string) => observed.exported(name);
const only = (name: string) => observed.only(name);

test('a span open under a context that is cancelled gets the attributes and one event; an intentional cancel is no error', () => {
  const [ctx, cancel] = withCancel(background(), { name: 'search' });
  const span = tracer.startSpan('GET', { kind: SpanKind.CLIENT }, ctx);
  cancel('user left');
  // What stock instrumentations write when they notice.
  span.recordException(new Error('aborted'));
  span.setAttributes({ 'error.type': 'AbortError', 'http.request.method': 'GET' });
  span.setStatus({ code: SpanStatusCode.ERROR, message: 'aborted' });
  span.end();
  const { attributes, events, status } = only('GET');
  expect(attributes).toEqual({
    'curfew.cancel.reason': 'canceled',
    'curfew.cancel.origin': 'caller',
    'http.request.method': 'GET',
  });
  expect(events.map(({ name, attributes: own }) => [name, own])).toEqual([
    ['curfew.context.canceled', { 'curfew.context.name': 'search' }],
  ]);
  expect(status.code).toBe(SpanStatusCode.UNSET);
});

test('a deadline is an error of type timeout, whatever the instrumentation calls it', () => {
  const [ctx] = withTimeout(background(), 50);
  const span = tracer.startSpan('GET', { kind: SpanKind.CLIENT }, ctx);
  const inner = tracer.startSpan('parse', {}, ctx);
  clock.advance(50);
  span.setAttribute('error.type', 23);
  span.setStatus({ code: SpanStatusCode.UNSET });
  span.end();
  inner.end();
  expect(only('GET').status.code).toBe(SpanStatusCode.ERROR);
  expect(only('GET').attributes['error.type']).toBe('timeout');
  expect(only('parse').status.code).toBe(SpanStatusCode.UNSET);
});

test('a server whose response never started keeps no made-up status code', () => {
  for (const [name, responseStarted] of [
    ['unsent', false],
    ['sent', true],
  ] as const) {
    const [ctx] = withCancel(background(), { name: 'http.server' });
    const span = tracer.startSpan(name, { kind: SpanKind.SERVER }, ctx);
    const cause = Object.assign(new Error('client disconnected'), { responseStarted });
    end(ctx, { origin: 'client_disconnect', cause });
    span.setAttributes({ 'http.response.status_code': 200 });
    span.end();
  }
  expect(only('unsent').attributes).toEqual({
    'curfew.cancel.reason': 'canceled',
    'curfew.cancel.origin': 'client_disconnect',
  });
  expect(only('sent').attributes['http.response.status_code']).toBe(200);
});

test('one curfew.cancel span marks each originating cancellation, under the span that was active where the context was derived', async () => {
  await tracer.startActiveSpan('handler', async (span) => {
    const [parent, cancel] = withCancel(active(), { name: 'parent' });
    withCancel(parent);
    withCancel(parent);
    onEnd(parent, () => clock.block(7));
    cancel('why');
    span.end();
    await Promise.resolve();
  });
  const cancel = only('curfew.cancel');
  expect(cancel.parentSpanContext?.spanId).toBe(only('handler').spanContext().spanId);
  expect(cancel.attributes).toEqual({
    'curfew.own': true,
    'curfew.cancel.reason': 'canceled',
    'curfew.cancel.origin': 'caller',
    'curfew.context.name': 'parent',
    'curfew.cancel.fanout': 2,
    'curfew.cancel.propagation.duration': 0.007,
  });
  expect(cancel.duration[0] * 1e3 + cancel.duration[1] / 1e6).toBeCloseTo(7, 3);
});

test("a request's own span is the parent where the context knows only the caller's", () => {
  const remote = trace.setSpanContext(ROOT_CONTEXT, {
    traceId: '0af7651916cd43dd8448eb211c80319c',
    spanId: 'b7ad6b7169203331',
    traceFlags: 1,
    isRemote: true,
  });
  const [ctx] = withCancel(withoutCancel(remote), { name: 'http.server' });
  const server = tracer.startSpan('GET /', { kind: SpanKind.SERVER }, ctx);
  end(ctx, { origin: 'client_disconnect' });
  server.end();
  expect(only('curfew.cancel').parentSpanContext?.spanId).toBe(server.spanContext().spanId);
  expect(only('curfew.cancel').spanContext().traceId).toBe('0af7651916cd43dd8448eb211c80319c');
});

test('each orphan gets exactly one span, from the end to its settling, and own spans are no operations', async () => {
  let finish!: () => void;
  const result = scope(
    { timeout: 20, name: 'legacy' },
    () => new Promise<void>((resolve) => (finish = resolve)),
  );
  clock.advance(20);
  await expect(result).rejects.toThrow();
  clock.advance(3000);
  finish();
  await new Promise((resolve) => setImmediate(resolve));
  const orphan = only('curfew.orphan');
  expect(orphan.duration).toEqual([3, 0]);
  expect(orphan.attributes).toMatchObject({
    'curfew.own': true,
    'curfew.cancel.reason': 'deadline_exceeded',
    'curfew.operation.kind': 'internal',
    'curfew.operation.name': 'legacy',
  });
  expect(total(await scrape(telemetry), 'curfew_operation_active')).toBe(0);
});

test('every span whose parent context carries a node is one operation of its kind, ended once', async () => {
  const [ctx, cancel] = withCancel(background());
  const span = tracer.startSpan('query', { kind: SpanKind.CLIENT }, ctx);
  tracer.startSpan('elsewhere').end();
  expect(total(await scrape(telemetry), 'curfew_operation_active', 'kind="client"')).toBe(1);
  cancel('why');
  clock.advance(300);
  span.end();
  span.end();
  clock.advance(5000);
  const samples = await scrape(telemetry);
  expect(total(samples, 'curfew_operation_active')).toBe(0);
  expect(total(samples, 'curfew_cancel_settle_duration_seconds_sum', 'kind="client"')).toBeCloseTo(0.3, 9);
  expect(total(samples, 'curfew_cancel_settle_duration_seconds_count')).toBe(1);
});

test('at most a thousand spans are marked a cancellation; the rest are counted', async () => {
  const [ctx, cancel] = withCancel(background());
  const spans = Array.from({ length: 1003 }, () => tracer.startSpan('many', {}, ctx));
  cancel('why');
  spans.forEach((span) => span.end());
  expect(exported('many').filter(({ events }) => events.length === 1)).toHaveLength(1000);
  expect(total(await scrape(telemetry), 'curfew_sdk_overflows_total', 'limit="span"')).toBe(3);
});

test('a chain is broken by a root span or a root context under a live one, not by servers or detached work', async () => {
  const [ctx] = withCancel(background(), { name: 'request' });
  context.with(ctx, () => {
    tracer.startSpan('root', {}, ROOT_CONTEXT).end();
    withTimeout(background(), 100)[1]();
    tracer.startSpan('server', { kind: SpanKind.SERVER }, ROOT_CONTEXT).end();
    tracer.startSpan('audit', {}, withoutCancel(ctx)).end();
    withTimeout(withoutCancel(ctx), 100)[1]();
    tracer.startSpan('child').end();
  });
  tracer.startSpan('outside', {}, ROOT_CONTEXT).end();
  const samples = await scrape(telemetry);
  expect(total(samples, 'curfew_chain_breaks_total', 'cause="root_span"')).toBe(1);
  expect(total(samples, 'curfew_chain_breaks_total', 'cause="background"')).toBe(1);
  expect(total(samples, 'curfew_chain_breaks_total')).toBe(2);
});

test('nothing is written to an ended span, and a processor that was shut down observes nothing and throws nothing', async () => {
  const [ctx, cancel] = withCancel(background());
  const ended = tracer.startSpan('ended', {}, ctx);
  ended.end();
  await telemetry.spanProcessor.shutdown();
  const late = tracer.startSpan('late', {}, ctx);
  cancel('why');
  late.end();
  expect(only('ended').events).toHaveLength(0);
  expect(only('late').events).toHaveLength(0);
});
