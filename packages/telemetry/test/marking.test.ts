import { background, withCancel, withTimeout, type Cancel, type CancelContext } from '@curfew/context';
import { end, nodeOf, retire, type ContextNode, type Ending } from '@curfew/context/spi';
import {
  createContextKey,
  diag,
  SpanKind,
  SpanStatusCode,
  type Context,
  type Span,
} from '@opentelemetry/api';
import {
  InMemorySpanExporter,
  NodeTracerProvider,
  SimpleSpanProcessor,
  type ReadableSpan,
} from '@opentelemetry/sdk-trace-node';
import { createEventTeller } from '../src/spans/span-events';
import { excuseAbort, mark, markLate } from '../src/spans/marking';

const { SERVER, CLIENT, INTERNAL } = SpanKind;

const exporter = new InMemorySpanExporter();
const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
const tracer = provider.getTracer('test');
beforeEach(() => exporter.reset());
afterAll(() => provider.shutdown());

const RESPONSE = createContextKey('@curfew/propagation.response.v1');

function start(kind: SpanKind): Span {
  return tracer.startSpan('test', { kind });
}

function ended(ctx: Context): { readonly node: ContextNode; readonly ending: Ending } {
  const node = nodeOf(ctx) as ContextNode;
  return { node, ending: node.ending as Ending };
}

/** What is exported of a span once these have been written on it. */
function exported(span: Span, ...writes: readonly ((span: Span) => void)[]): ReadableSpan {
  for (const write of writes) write(span);
  span.end();
  return exporter.getFinishedSpans().at(-1) as ReadableSpan;
}

const ofType = (type: string | number) => (span: Span) => void span.setAttribute('error.type', type);
const failed = (message?: string) => (span: Span) =>
  void span.setStatus({ code: SpanStatusCode.ERROR, ...(message === undefined ? {} : { message }) });
const threw = (error: Error) => (span: Span) => span.recordException(error);
const answered = (status: number) => (span: Span) =>
  void span.setAttributes({ 'http.response.status_code': status, 'http.status_code': status });

function canceled(parent: Context = background()): CancelContext {
  const [ctx, cancel] = withCancel(parent);
  cancel('why');
  return ctx;
}

function released(): CancelContext {
  const [ctx, cancel]: [CancelContext, Cancel] = withCancel(background());
  // Somebody listens: without that there is nothing that a release could abort.
  expect(ctx.signal.aborted).toBe(false);
  cancel();
  return ctx;
}

function open(span: Span, ctx: Context): Span {
  const { node, ending } = ended(ctx);
  if (ending.reason === undefined) excuseAbort(span, ending);
  else
    mark(span, {
      node,
      ending,
      name: 'name',
      at: Date.now(),
      tell: createEventTeller('span', () => undefined),
    });
  return span;
}

function late(span: Span, ctx: Context): Span {
  const { node, ending } = ended(ctx);
  markLate(span, node, ending);
  return span;
}

test('an abort by a release is no error in any of its spellings; another failure of that call is one', () => {
  for (const type of ['AbortError', 'ABORT_ERR', 'TimeoutError', 20, 23]) {
    const span = exported(
      open(start(CLIENT), released()),
      ofType(type),
      failed('The operation was aborted'),
      threw(new DOMException('This operation was aborted', 'AbortError')),
    );
    expect([span.status.code, span.attributes, span.events]).toEqual([SpanStatusCode.UNSET, {}, []]);
  }
  const byMessage = exported(open(start(CLIENT), released()), failed('context canceled'));
  expect(byMessage.status.code).toBe(SpanStatusCode.UNSET);
  const reset = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
  const other = exported(
    open(start(CLIENT), released()),
    ofType('ECONNRESET'),
    threw(reset),
    failed(reset.message),
  );
  expect([other.status.code, other.attributes['error.type'], other.events.length]).toEqual([
    SpanStatusCode.ERROR,
    'ECONNRESET',
    1,
  ]);
});

test('work that goes on after its request has retired says what it likes', () => {
  const [ctx] = withCancel(background());
  const span = start(CLIENT);
  retire(ctx);
  const { status, attributes, events } = exported(open(span, ctx), ofType('AbortError'), failed());
  expect([status.code, attributes, events]).toEqual([
    SpanStatusCode.ERROR,
    { 'error.type': 'AbortError' },
    [],
  ]);
});

test('work that begins after its request has retired says what it likes, too', () => {
  const [ctx] = withCancel(background());
  retire(ctx);
  const { status, attributes } = exported(late(start(CLIENT), ctx), ofType('AbortError'), failed());
  expect([status.code, attributes]).toEqual([SpanStatusCode.ERROR, { 'error.type': 'AbortError' }]);
});

test('a release writes nothing on a span, whether it was open then or begins later', () => {
  const told: unknown[] = [];
  const { node, ending } = ended(released());
  const marked = exported(start(CLIENT), (span) =>
    mark(span, { node, ending, name: 'name', at: Date.now(), tell: (...event) => void told.push(event) }),
  );
  expect([marked.attributes, told]).toEqual([{}, []]);
  expect(exported(late(start(CLIENT), released())).attributes).toEqual({});
});

test('a deadline that passed is told as a warning, a cancel as a detail', () => {
  const severities = [canceled(), withTimeout(background(), 0)[0]].map((ctx) => {
    let severity: string | undefined;
    const { node, ending } = ended(ctx);
    mark(start(CLIENT), {
      node,
      ending,
      name: 'name',
      at: 0,
      tell: (_, event) => (severity = event.severity),
    });
    return severity;
  });
  expect(severities).toEqual(['DEBUG', 'WARN']);
});

test('what ended with its parent has the parent for its origin', () => {
  const [parent, cancel] = withCancel(background());
  const [child] = withCancel(parent);
  cancel('why');
  const origins = [parent, child].map(
    (ctx) => exported(open(start(CLIENT), ctx)).attributes['curfew.cancel.origin'],
  );
  expect(origins).toEqual(['caller', 'parent']);
});

test('a call that is refused is no error after a cancel and a timeout after a deadline, without an event', () => {
  const refused = [ofType('AbortError'), failed('The operation was aborted')];
  const afterCancel = exported(late(start(CLIENT), canceled()), ...refused);
  expect([afterCancel.status.code, afterCancel.attributes, afterCancel.events]).toEqual([
    SpanStatusCode.UNSET,
    { 'curfew.cancel.reason': 'canceled', 'curfew.cancel.origin': 'caller' },
    [],
  ]);
  const afterDeadline = exported(late(start(CLIENT), withTimeout(background(), 0)[0]), ...refused);
  expect([afterDeadline.status, afterDeadline.attributes['error.type'], afterDeadline.events]).toEqual([
    { code: SpanStatusCode.ERROR, message: 'context deadline exceeded' },
    'timeout',
    [],
  ]);
});

test('work that starts after the end and succeeds is no error, and fails for its own reasons', () => {
  const [ctx] = withTimeout(background(), 0);
  expect(exported(late(start(CLIENT), ctx)).status.code).toBe(SpanStatusCode.UNSET);
  const failure = exported(late(start(CLIENT), ctx), ofType('57P01'), failed('terminated'));
  expect([failure.status.message, failure.attributes['error.type']]).toEqual(['terminated', '57P01']);
});

test('work that starts under a deadline of its own that has passed says itself what an abort is', () => {
  const [ctx] = withTimeout(background(), 0);
  const aborted = exported(late(start(INTERNAL), ctx), failed('This operation was aborted'));
  expect(aborted.status).toEqual({ code: SpanStatusCode.ERROR, message: 'This operation was aborted' });
});

test('what a late call was answered with stays on its span, and is no failure where the answer was aborted', () => {
  const answeredLate = exported(late(start(CLIENT), canceled()), answered(200));
  expect(answeredLate.attributes['http.response.status_code']).toBe(200);
  const cutShort = exported(late(start(CLIENT), canceled()), answered(500), failed(), ofType('AbortError'));
  expect(cutShort.status.code).toBe(SpanStatusCode.UNSET);
});

test('a request whose budget was spent on arrival is a timeout, though its span started after the end', () => {
  const span = exported(late(start(SERVER), withTimeout(background(), 0)[0]), answered(504), failed());
  expect([
    span.status.message,
    span.attributes['error.type'],
    span.attributes['http.response.status_code'],
  ]).toEqual(['context deadline exceeded', 'timeout', 504]);
});

test("what ended because its parent's deadline passed is no error, unless it is a call; of its own, an INTERNAL span says", () => {
  const [parent] = withTimeout(background(), 0);
  const [child] = withCancel(parent);
  const status = (kind: SpanKind, ctx: Context, message: string) =>
    exported(open(start(kind), ctx), failed(message)).status;
  expect(status(INTERNAL, child, 'This operation was aborted').code).toBe(SpanStatusCode.UNSET);
  expect(status(CLIENT, child, 'This operation was aborted').message).toBe('context deadline exceeded');
  expect(status(INTERNAL, parent, 'This operation was aborted').message).toBe('This operation was aborted');
});

/** All orders of these. */
function orders<T>(items: readonly T[]): T[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((item) =>
    orders(items.filter((each) => each !== item)).map((rest) => [item, ...rest]),
  );
}

const written = ({ status, attributes, events }: ReadableSpan) => [
  status,
  attributes['error.type'],
  events.filter(({ name }) => name === 'exception').map(({ attributes: of }) => of?.['exception.message']),
];

const OWN_FAILURES: [string, SpanKind, Error][] = [
  ['a bug, on an INTERNAL span', INTERNAL, new TypeError('x is not a function')],
  ['a bug, on a CLIENT span', CLIENT, new TypeError('x is not a function')],
  ['a bug, on a SERVER span', SERVER, new TypeError('x is not a function')],
  ['a refused connection', CLIENT, Object.assign(new Error('connect'), { code: 'ECONNREFUSED' })],
  ['another cause', INTERNAL, new Error('failed', { cause: new RangeError('limit') })],
];

test.each(OWN_FAILURES)(
  'after a hang-up, %s is an error of its own, in whatever order it is written',
  (_, kind, bug) => {
    for (const writes of orders([threw(bug), ofType(bug.name), failed(bug.message)])) {
      const [ctx] = withCancel(background());
      end(ctx, { origin: 'client_disconnect' });
      expect(written(exported(open(start(kind), ctx), ...writes))).toEqual([
        { code: SpanStatusCode.ERROR, message: bug.message },
        bug.name,
        [bug.message],
      ]);
      const bare = exported(open(start(kind), ctx), threw(bug), failed());
      expect(written(bare)).toEqual([{ code: SpanStatusCode.ERROR }, undefined, [bug.message]]);
    }
  },
);

test('a bug after an abort that was recorded too is an error, and the abort is not', () => {
  const aborted = new DOMException('This operation was aborted', 'AbortError');
  const bug = new TypeError('x is undefined');
  const span = exported(open(start(INTERNAL), canceled()), threw(aborted), threw(bug), failed(bug.message));
  expect(written(span)).toEqual([
    { code: SpanStatusCode.ERROR, message: bug.message },
    undefined,
    [bug.message],
  ]);
});

const given = new Error('user left');
const ABORTS: [string, unknown, (reason: unknown) => Error][] = [
  ["the context's own error", 'why', (reason) => reason as Error],
  [
    'an error that wraps it, of a call that was cut off',
    'why',
    (reason) => Object.assign(new Error('socket hang up', { cause: reason }), { code: 'ECONNRESET' }),
  ],
  ['what the context was canceled with', given, () => given],
  ['an error that wraps what it was canceled with', given, () => new Error('fetch failed', { cause: given })],
  ['a response that was cut off', 'why', () => Object.assign(new Error('aborted'), { code: 'ECONNRESET' })],
  [
    'a query that the server stopped',
    'why',
    () =>
      Object.assign(new Error('canceling statement due to user request'), { name: 'error', code: '57014' }),
  ],
];

test.each(ABORTS)('after a cancel, %s is no error, in whatever order it is written', (_, cause, failure) => {
  for (const kind of [CLIENT, INTERNAL, SERVER]) {
    const [ctx, cancel] = withCancel(background());
    cancel(cause);
    const error = failure(ctx.err());
    // By class name, which may be as common as Error, and by code.
    for (const type of [error.name, (error as { code?: string }).code ?? error.name]) {
      for (const writes of orders([threw(error), ofType(type), failed(error.message), failed()])) {
        expect(written(exported(open(start(kind), ctx), ...writes))).toEqual([
          { code: SpanStatusCode.UNSET },
          undefined,
          [],
        ]);
      }
    }
  }
});

test("an upstream's 500 is an error of its own, though its caller's context had ended", () => {
  for (const ctx of [canceled(), withTimeout(background(), 0)[0]]) {
    const { status, attributes } = exported(open(start(CLIENT), ctx), answered(500), ofType('500'), failed());
    expect([status.code, attributes['error.type'], attributes['http.response.status_code']]).toEqual([
      SpanStatusCode.ERROR,
      '500',
      500,
    ]);
  }
});

test('after a deadline, a bug on a CLIENT span is its own error, and an abort is of type timeout', () => {
  const bug = new TypeError('x is undefined');
  const [ctx] = withTimeout(background(), 0);
  const own = exported(open(start(CLIENT), ctx), threw(bug), ofType('TypeError'), failed(bug.message));
  expect(written(own)).toEqual([
    { code: SpanStatusCode.ERROR, message: bug.message },
    'TypeError',
    [bug.message],
  ]);
  const aborted = Object.assign(new Error('fetch failed', { cause: ctx.err() }), { code: 'ECONNRESET' });
  const timeout = exported(open(start(CLIENT), ctx), ofType('Error'), failed('fetch failed'), threw(aborted));
  expect(written(timeout)).toEqual([
    { code: SpanStatusCode.ERROR, message: 'context deadline exceeded' },
    'timeout',
    ['fetch failed'],
  ]);
});

test('a call that was open at the deadline is a timeout, though nobody writes a word of it', () => {
  const span = exported(open(start(CLIENT), withTimeout(background(), 0)[0]));
  expect([span.status.message, span.attributes['error.type']]).toEqual([
    'context deadline exceeded',
    'timeout',
  ]);
});

test('what a span says of itself is written once, when it first ends', () => {
  const writes: unknown[] = [];
  const span = start(INTERNAL);
  span.setStatus = (status) => (writes.push(status), span);
  open(span, canceled());
  failed('a bug')(span);
  span.end();
  expect(writes).toEqual([{ code: SpanStatusCode.ERROR, message: 'a bug' }]);
  failed('another')(span);
  span.end();
  expect(writes).toHaveLength(1);
});

test('a 500 that was sent before the client went away stays an error, in the order of either line', () => {
  const [ctx] = withCancel(background().setValue(RESPONSE, { headersSent: true }));
  end(ctx, { origin: 'client_disconnect' });
  const older = exported(open(start(SERVER), ctx), answered(500), failed());
  expect([older.status.code, older.attributes['error.type']]).toEqual([SpanStatusCode.ERROR, undefined]);
  const newer = exported(open(start(SERVER), ctx), answered(500), failed(), ofType('500'));
  expect([newer.status.code, newer.attributes['error.type']]).toEqual([SpanStatusCode.ERROR, '500']);
  const cutOff = Object.assign(new Error('aborted'), { code: 'ECONNRESET' });
  const both = exported(open(start(SERVER), ctx), answered(500), failed(), threw(cutOff));
  expect([both.status.code, both.events.length]).toEqual([SpanStatusCode.ERROR, 1]);
  const fine = exported(open(start(SERVER), ctx), answered(404), failed(), ofType('AbortError'));
  expect([fine.status.code, fine.attributes['error.type']]).toEqual([SpanStatusCode.UNSET, undefined]);
});

test('a status code stands only where a head was sent, by the time that the code is written', () => {
  const response = { headersSent: false };
  const [ctx] = withTimeout(background().setValue(RESPONSE, response), 0);
  const unsent = exported(open(start(SERVER), ctx), answered(200));
  expect(Object.keys(unsent.attributes).filter((key) => key.startsWith('http.'))).toEqual([]);
  const span = open(start(SERVER), ctx);
  // The deadline is answered after it has passed.
  response.headersSent = true;
  expect(exported(span, answered(504)).attributes).toMatchObject({
    'http.response.status_code': 504,
    'http.status_code': 504,
  });
});

test('while a response lives it is asked itself, and then what was kept of it', () => {
  const code = (served: object) => {
    const [ctx] = withTimeout(background().setValue(RESPONSE, served), 0);
    return exported(open(start(SERVER), ctx), answered(504)).attributes['http.response.status_code'];
  };
  expect(code({ response: { headersSent: true }, headersSent: false })).toBe(504);
  expect(code({ response: { headersSent: false }, headersSent: false })).toBeUndefined();
  expect(code({ response: undefined, headersSent: true })).toBe(504);
});

test('the status code of a call that a request made is its own, whatever its server has sent', () => {
  const [ctx, cancel] = withCancel(background().setValue(RESPONSE, { headersSent: false }));
  cancel('why');
  expect(exported(open(start(CLIENT), ctx), answered(200)).attributes['http.response.status_code']).toBe(200);
});

test('a deadline that ended a request without a head keeps no made-up status code, where only the cause says so', () => {
  const [ctx] = withCancel(background());
  end(ctx, {
    origin: 'remote_deadline',
    reason: 'deadline_exceeded',
    cause: Object.assign(new Error('gone'), { responseStarted: false }),
  });
  expect(exported(open(start(SERVER), ctx), answered(200)).attributes).toEqual({
    'curfew.cancel.reason': 'deadline_exceeded',
    'curfew.cancel.origin': 'remote_deadline',
    'error.type': 'timeout',
  });
});

test('a cause that throws when it is looked at, or is no object, changes nothing', () => {
  const hostile = new Proxy(new Error('x'), {
    get() {
      throw new Error('looked at');
    },
  });
  for (const cause of [hostile, 'text', 0]) {
    const [ctx, cancel] = withCancel(background());
    cancel(cause);
    const aborted = Object.assign(new Error('aborted'), { code: 'ECONNRESET' });
    const span = exported(open(start(SERVER), ctx), answered(200), failed(), threw(aborted));
    expect([span.status.code, span.attributes['http.response.status_code'], span.events.length]).toEqual([
      SpanStatusCode.UNSET,
      200,
      1,
    ]);
  }
});

test('what was written before the end stays, and an ended span is not written to', () => {
  const span = start(CLIENT);
  failed('a real failure')(span);
  ofType('500')(span);
  const kept = exported(open(span, canceled()));
  expect([kept.status.message, kept.attributes['error.type']]).toEqual(['a real failure', '500']);
  const over = start(CLIENT);
  over.end();
  const warnings: string[] = [];
  const nothing = () => undefined;
  const warn = (text: string) => void warnings.push(text);
  diag.setLogger({ error: warn, warn, info: nothing, debug: nothing, verbose: nothing });
  open(over, canceled());
  late(over, canceled());
  diag.disable();
  expect([warnings, exporter.getFinishedSpans().at(-1)?.attributes]).toEqual([[], {}]);
});

test('a span that is not recorded is left as it is', () => {
  for (const write of [open, late]) {
    for (const ctx of [canceled(), released(), withTimeout(background(), 0)[0]]) {
      const over = start(CLIENT);
      over.end();
      const before = Object.keys(over);
      write(over, ctx);
      expect(Object.keys(over)).toEqual(before);
    }
  }
});
