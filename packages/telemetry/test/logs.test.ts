import { Writable } from 'node:stream';
import { background, onEnd, run, scope, withCancel, withTimeout, type Context } from '@curfew/context';
import { retire, useClock } from '@curfew/context/spi';
import { logFields, pinoMixin, winstonFormat, type LogFields } from '@curfew/telemetry/logs';
import { context, ROOT_CONTEXT, trace, TraceFlags, type Context as OtelContext } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import pino from 'pino';
import winston from 'winston';
import { useManualClock, type ManualClock } from '../../../test/manual-clock';

/** A transport of winston that hands each record over. The types do not know the class that makes them by its name. */
const transportTo = (log: (info: Line, next: () => void) => void): winston.transport =>
  new (winston as any).Transport({ log });

type Line = Record<string, unknown>;

/** A stream that a logger writes to, and the lines that it wrote. */
function memory(): { stream: Writable; lines: Line[] } {
  const lines: Line[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _, done) {
      lines.push(JSON.parse(chunk.toString()) as Line);
      done();
    },
  });
  return { stream, lines };
}

interface Logger {
  info(fields: object, message: string): void;
}

/** Both real loggers, with a call of one shape. */
const LOGGERS = {
  pino(): { logger: Logger; lines: Line[] } {
    const { stream, lines } = memory();
    return { logger: pino({ base: null, timestamp: false, mixin: pinoMixin() }, stream), lines };
  },
  winston(): { logger: Logger; lines: Line[] } {
    const { stream, lines } = memory();
    const logger = winston.createLogger({
      format: winston.format.combine(winstonFormat(), winston.format.json()),
      transports: [new winston.transports.Stream({ stream })],
    });
    return { logger: { info: (fields, message) => void logger.info(message, fields) }, lines };
  },
};
const BOTH = Object.entries(LOGGERS);

/** A line without what the loggers themselves write on it. */
function added({ level: _level, msg: _msg, message: _message, ...rest }: Line | undefined = {}): Line {
  return rest;
}

const SPAN = {
  traceId: '0af7651916cd43dd8448eb211c80319c',
  spanId: 'b7ad6b7169203331',
  traceFlags: TraceFlags.SAMPLED,
};
const TRACE = { trace_id: SPAN.traceId, span_id: SPAN.spanId, trace_flags: '01' };

let clock: ManualClock;
let restore: () => void;
beforeEach(() => {
  ({ clock, restore } = useManualClock());
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
});
afterEach(() => {
  context.disable();
  restore();
});

test('a deadline that nobody has noticed yet reads as 0 ms, and the line does not end the context', () => {
  const [ctx] = withTimeout(background(), 50, { name: 'price' });
  const told: string[] = [];
  onEnd(ctx, () => told.push('ended'));
  clock.block(80);
  expect(logFields(ctx)).toEqual({ 'curfew.context.name': 'price', 'curfew.deadline.remaining_ms': 0 });
  expect(told).toEqual([]);
  clock.advance(0);
  expect(told).toEqual(['ended']);
});

test('what is left is in whole milliseconds, rounded up: 0 is said of nothing that has time left', () => {
  const [ctx] = withTimeout(background(), 50);
  clock.block(49.9);
  expect(logFields(ctx)).toEqual({ 'curfew.deadline.remaining_ms': 1 });
  clock.block(0.1);
  expect(logFields(ctx)).toEqual({ 'curfew.deadline.remaining_ms': 0 });
});

test.each([undefined, '', 42])('what was given no name that is one (%p) has no field for it', (name) => {
  expect(logFields(withCancel(background(), { name: name as string })[0])).toStrictEqual({});
});

test('the clock is read only for what lives and has a deadline', () => {
  const [timed] = withTimeout(background(), 50, { name: 'timed' });
  const [ended, cancel] = withCancel(timed, { name: 'ended' });
  const [free] = withCancel(background(), { name: 'free' });
  cancel('why');
  let reads = 0;
  const putBack = useClock({ ...clock, now: () => (reads++, clock.now()) });
  const readsFor = (ctx: Context) => {
    reads = 0;
    logFields(ctx);
    return reads;
  };
  expect([background(), free, ended, timed].map(readsFor)).toEqual([0, 0, 0, 1]);
  putBack();
});

test('after the end the outcome is told, the reason where there is one, and no time', () => {
  const [canceled, cancel] = withTimeout(background(), 500, { name: 'canceled' });
  cancel('why');
  const [late] = withTimeout(background(), 50, { name: 'late' });
  const [child] = withCancel(late, { name: 'child of late' });
  const [released, release] = withTimeout(background(), 500, { name: 'released' });
  release();
  const [finished] = withTimeout(background(), 500, { name: 'finished' });
  retire(finished);
  clock.advance(50);
  const told = [canceled, late, child, withCancel(late, { name: 'born done' })[0], released, finished].map(
    (ctx) => {
      const { 'curfew.context.name': name, 'curfew.context.outcome': outcome, ...rest } = logFields(ctx);
      return [name, outcome, rest];
    },
  );
  expect(told).toEqual([
    ['canceled', 'canceled', { 'curfew.cancel.reason': 'canceled' }],
    ['late', 'deadline_exceeded', { 'curfew.cancel.reason': 'deadline_exceeded' }],
    ['child of late', 'deadline_exceeded', { 'curfew.cancel.reason': 'deadline_exceeded' }],
    ['born done', 'deadline_exceeded', { 'curfew.cancel.reason': 'deadline_exceeded' }],
    ['released', 'completed', {}],
    ['finished', 'completed', {}],
  ]);
});

test('where there is neither a span nor a context, nothing is added', () => {
  expect(logFields()).toEqual({});
  expect(logFields(background())).toEqual({});
  expect(logFields(trace.setSpanContext(ROOT_CONTEXT, { ...SPAN, traceId: '0'.repeat(32) }))).toEqual({});
});

test('a span without a context is told all the same, and one that is not sampled as such', () => {
  expect(logFields(trace.setSpanContext(ROOT_CONTEXT, SPAN))).toEqual(TRACE);
  const unsampled = { ...SPAN, traceFlags: TraceFlags.NONE };
  expect(logFields(trace.setSpanContext(ROOT_CONTEXT, unsampled)).trace_flags).toBe('00');
});

describe('nothing that throws reaches the logger', () => {
  const thrower = (): never => {
    throw new Error('hostile');
  };
  const [ctx] = withCancel(background(), { name: 'search' });

  test.each<[string, unknown]>([
    ['a context that throws', { getValue: thrower }],
    ['what is no context', 'a string'],
    ['a span whose context throws', trace.setSpan(ROOT_CONTEXT, { spanContext: thrower } as never)],
    ['a node whose fields throw', new Proxy(ctx, { get: thrower })],
  ])('%s: no fields', (_, hostile) => {
    expect(logFields(hostile as OtelContext)).toEqual({});
  });

  test('a hostile span costs the trace alone', () => {
    expect(logFields(trace.setSpan(ctx, { spanContext: thrower } as never))).toEqual({
      'curfew.context.name': 'search',
    });
  });

  test('a ContextManager that throws', () => {
    context.disable();
    context.setGlobalContextManager({ active: thrower, disable: () => undefined } as never);
    const { logger, lines } = LOGGERS.pino();
    logger.info({ key: 1 }, 'hello');
    expect(lines).toEqual([{ level: 30, key: 1, msg: 'hello' }]);
  });

  test('a record that is frozen, or whose traps throw, passes as it is', () => {
    run(ctx, () => {
      const { transform } = winstonFormat();
      const frozen = Object.freeze({ level: 'info' });
      expect(transform(frozen)).toBe(frozen);
      const trapped = new Proxy({ level: 'info' }, { getOwnPropertyDescriptor: thrower });
      expect(transform(trapped)).toBe(trapped);
    });
  });
});

describe.each(BOTH)('%s', (_, create) => {
  test('in a scope, across awaits, every line tells the trace, the name and what is left', async () => {
    const { logger, lines } = create();
    const request = trace.setSpanContext(background(), SPAN);
    await scope(request, { timeout: 300, name: 'price' }, async () => {
      logger.info({}, 'before');
      await Promise.resolve();
      clock.advance(100);
      await new Promise((resolve) => setImmediate(resolve));
      logger.info({ key: 1 }, 'after');
    });
    logger.info({}, 'outside');
    const price = { ...TRACE, 'curfew.context.name': 'price' };
    expect(lines.map(added)).toEqual([
      { ...price, 'curfew.deadline.remaining_ms': 300 },
      { ...price, 'curfew.deadline.remaining_ms': 200, key: 1 },
      {},
    ]);
  });

  test('work that goes on after its deadline says so on each line', async () => {
    const { logger, lines } = create();
    let goOn!: () => void;
    const waiting = new Promise<void>((resolve) => (goOn = resolve));
    const work = scope({ timeout: 50, name: 'report' }, async () => {
      await waiting;
      logger.info({}, 'still at it');
    });
    clock.advance(50);
    await expect(work).rejects.toThrow('context deadline exceeded');
    goOn();
    await new Promise((resolve) => setImmediate(resolve));
    expect(added(lines[0])).toEqual({
      'curfew.context.name': 'report',
      'curfew.context.outcome': 'deadline_exceeded',
      'curfew.cancel.reason': 'deadline_exceeded',
    });
  });

  test('work after a finished request tells that it has completed', () => {
    const { logger, lines } = create();
    const [request] = withTimeout(background(), 500, { name: 'http.server' });
    run(request, () => {
      retire(request);
      logger.info({}, 'audit');
    });
    expect(added(lines[0])).toEqual({
      'curfew.context.name': 'http.server',
      'curfew.context.outcome': 'completed',
    });
  });

  test('fields that the call gives stand, and the object that they came in is not changed', () => {
    const { logger, lines } = create();
    const given = { trace_id: 'mine', 'curfew.context.name': 'mine too' };
    const [ctx] = withCancel(trace.setSpanContext(background(), SPAN), { name: 'search' });
    run(ctx, () => logger.info(given, 'hello'));
    expect(added(lines[0])).toEqual({ ...given, span_id: SPAN.spanId, trace_flags: '01' });
    expect(given).toEqual({ trace_id: 'mine', 'curfew.context.name': 'mine too' });
  });
});

test('child loggers of pino tell the context of each line, and keep what they were bound to', () => {
  const { stream, lines } = memory();
  const child = pino({ base: null, timestamp: false, mixin: pinoMixin() }, stream).child({ module: 'shop' });
  for (const name of ['one', 'two']) run(withCancel(background(), { name })[0], () => child.info(name));
  expect(lines.map(added)).toEqual([
    { module: 'shop', 'curfew.context.name': 'one' },
    { module: 'shop', 'curfew.context.name': 'two' },
  ]);
});

test('the format of winston works alone, for transports that take records', () => {
  const infos: Line[] = [];
  const transport = transportTo((info, next) => {
    infos.push(info);
    next();
  });
  const logger = winston.createLogger({ format: winstonFormat(), transports: [transport] });
  run(withCancel(background(), { name: 'search' })[0], () => void logger.info('hello'));
  // Without the symbols that winston itself adds.
  expect(infos.map((info) => ({ ...info, [Symbol.for('level')]: undefined }))).toEqual([
    { level: 'info', message: 'hello', 'curfew.context.name': 'search' },
  ]);
});

test('winston formats late what a slow transport holds up: the documentation warns of it', async () => {
  const names: unknown[] = [];
  const taken: (() => void)[] = [];
  const transport = transportTo((info, next) => {
    names.push(info['curfew.context.name']);
    taken.push(next);
  });
  const logger = winston.createLogger({ format: winstonFormat(), transports: [transport] });
  const [ctx] = withCancel(background(), { name: 'search' });
  for (let record = 0; record < 100; record++) run(ctx, () => void logger.info('hello'));
  while (names.length < 100) {
    taken.shift()?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect([names[0], names[99]]).toEqual(['search', undefined]);
});

test('what a child logger of winston is bound to stands', () => {
  const { stream, lines } = memory();
  const logger = winston.createLogger({
    format: winston.format.combine(winstonFormat(), winston.format.json()),
    transports: [new winston.transports.Stream({ stream })],
  });
  const child = logger.child({ span_id: 'bound' });
  run(trace.setSpanContext(withCancel(background())[0], SPAN), () => void child.info('hello'));
  expect(added(lines[0])).toEqual({ ...TRACE, span_id: 'bound' });
});

test('the trace is left to others where that is asked for; bad options are refused by name', () => {
  const [ctx] = withCancel(trace.setSpanContext(background(), SPAN), { name: 'search' });
  const told = run(ctx, (): [LogFields, object] => [
    pinoMixin({ trace: false })(),
    winstonFormat({ trace: false }).transform({}),
  ]);
  expect(told).toEqual([{ 'curfew.context.name': 'search' }, { 'curfew.context.name': 'search' }]);
  expect(() => pinoMixin({ trace: 'no' as never })).toThrow('trace must be true or false, got string');
  expect(() => winstonFormat(null as never)).toThrow('options must be an object, got null');
});

test('each call returns an object of its own, since pino writes into it', () => {
  const mixin = pinoMixin();
  expect(mixin()).not.toBe(mixin());
  const ctx: Context = background();
  expect(logFields(ctx)).not.toBe(logFields(ctx));
});
