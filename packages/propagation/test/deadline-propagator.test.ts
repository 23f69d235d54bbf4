import { defaultTextMapGetter, defaultTextMapSetter, ROOT_CONTEXT, type Context } from '@opentelemetry/api';
import { suppressTracing } from '@opentelemetry/core';
import { background, from, withCancel, withTimeout } from '@curfew/context';
import { setEnforcement, useClock, type Clock } from '@curfew/context/spi';
import {
  DeadlinePropagator,
  deadlineReader,
  deadlineReceived,
  receivedDeadline,
  tellReceived,
  withReceivedDeadline,
  type DeadlinePropagatorOptions,
  type InboundDeadline,
  type ReceivedDeadline,
} from '@curfew/propagation';

let now: number;
let told: ReceivedDeadline[];
let undo: (() => void)[];

beforeEach(() => {
  now = 1_000;
  told = [];
  const clock: Clock = { now: () => now, wallNow: () => now, setTimer: () => 0, clearTimer: () => undefined };
  undo = [useClock(clock), deadlineReceived.listen(({ ctx: _, ...event }) => void told.push(event))];
});
afterEach(() => undo.forEach((each) => each()));

function extract(carrier: unknown, options?: DeadlinePropagatorOptions): Context {
  return new DeadlinePropagator(options).extract(ROOT_CONTEXT, carrier, defaultTextMapGetter);
}

function inject(ctx: Context, options?: DeadlinePropagatorOptions): Record<string, string> {
  const carrier = {};
  new DeadlinePropagator(options).inject(ctx, carrier, defaultTextMapSetter);
  return carrier;
}

describe('what a peer sends', () => {
  test.each(['soon', '-1', '1e9', '5, 6', '', '99999999999'])(
    'is malformed where it is %j: no deadline, counted',
    (text) => {
      const ctx = extract({ 'x-request-timeout-ms': text });
      expect(receivedDeadline(ctx)?.remaining).toBeUndefined();
      expect(told).toMatchObject([
        { source: 'x-request-timeout-ms', outcome: 'malformed', remaining: undefined },
      ]);
    },
  );

  test('never makes extract throw, be the carrier or the getter what it may', () => {
    const hostile = new Proxy(
      {},
      {
        get: () => {
          throw new Error('trap');
        },
        ownKeys: () => {
          throw new Error('trap');
        },
      },
    );
    for (const carrier of [undefined, null, 5, 'text', hostile]) expect(() => extract(carrier)).not.toThrow();
    expect(told.map((event) => event.outcome)).toEqual(['none', 'none', 'none', 'none', 'none']);
  });

  test('is contradictory as an array of two, and understood as an array of one', () => {
    extract({ 'x-request-timeout-ms': ['5', '6'] });
    extract({ 'x-request-timeout-ms': ['5'] });
    expect(told.map((event) => event.outcome)).toEqual(['malformed', 'ok']);
  });

  test('is capped, and counted as too large', () => {
    const capped = extract({ 'x-request-timeout-ms': '60001' }, { maxTimeout: 60_000 });
    expect(receivedDeadline(capped)?.sent).toBe(60_001);
    extract({ 'x-request-timeout-ms': '60000' }, { maxTimeout: 60_000 });
    expect(told).toMatchObject([
      { outcome: 'too_large', remaining: 60_000 },
      { outcome: 'ok', remaining: 60_000 },
    ]);
  });

  test('is capped at an hour unless told otherwise', () => {
    extract({ 'x-request-timeout-ms': '9999999999' });
    expect(told).toMatchObject([{ outcome: 'too_large', remaining: 3_600_000 }]);
  });

  test('is counted once with several headers: the smallest valid one', () => {
    const headers = ['x-request-timeout-ms', 'Connect-Timeout-Ms', 'grpc-timeout'];
    extract(
      { 'x-request-timeout-ms': 'x', 'connect-timeout-ms': '300', 'grpc-timeout': '200m' },
      { headers },
    );
    expect(told).toMatchObject([{ source: 'grpc-timeout', outcome: 'ok', remaining: 200 }]);
  });

  test('cannot set a prototype on fire', () => {
    extract(Object.create({ 'x-request-timeout-ms': '5' }) as object);
    expect(told).toHaveLength(1);
  });
});

describe('withReceivedDeadline', () => {
  test('takes off the time spent between arrival and start', () => {
    const arrived = extract({ 'x-request-timeout-ms': '100' });
    now += 40;
    const [ctx, cancel] = withReceivedDeadline(arrived, { name: 'job' });
    expect(ctx.remaining()).toBe(60);
    cancel();
  });

  test('is done at once where the deadline has passed in the queue', () => {
    const arrived = extract({ 'x-request-timeout-ms': '100' });
    now += 100;
    const [ctx] = withReceivedDeadline(arrived);
    expect(ctx.err()?.name).toBe('TimeoutError');
  });

  test('in observe mode limits nothing, however late it is', () => {
    undo.push(setEnforcement(false));
    const arrived = extract({ 'x-request-timeout-ms': '100' });
    for (const late of [0, 100]) {
      now += late;
      const [ctx, cancel] = withReceivedDeadline(arrived);
      expect([ctx.remaining(), ctx.deadline(), ctx.err()]).toEqual([Infinity, undefined, undefined]);
      cancel();
    }
  });

  test('is a plain cancellable context without one', () => {
    const [ctx, cancel] = withReceivedDeadline(extract({}));
    expect([ctx.remaining(), ctx.err()]).toEqual([Infinity, undefined]);
    cancel();
  });

  test("cannot lengthen a parent's deadline", () => {
    const [parent, cancel] = withTimeout(background(), 50);
    const arrived = new DeadlinePropagator().extract(
      parent,
      { 'x-request-timeout-ms': '5000' },
      defaultTextMapGetter,
    );
    const [ctx] = withReceivedDeadline(arrived);
    expect(ctx.remaining()).toBe(50);
    cancel();
  });
});

describe('plant', () => {
  test('decides for its own carriers, and leaves the others and their one count to the propagator', () => {
    const mine = {};
    const plant: DeadlinePropagatorOptions['plant'] = (ctx, carrier) => (carrier === mine ? ctx : undefined);
    expect(extract(mine, { plant })).toBe(ROOT_CONTEXT);
    expect(told).toEqual([]);
    extract({ 'x-request-timeout-ms': '5' }, { plant });
    expect(told).toHaveLength(1);
  });
});

describe('several plants', () => {
  test('are asked in turn until one knows the carrier, and each is given the deadline as it was read', () => {
    const asked: unknown[] = [];
    const mine = { 'x-request-timeout-ms': '5' };
    const planted = ROOT_CONTEXT.setValue(Symbol('planted'), true);
    const plant = [
      () => void asked.push('first'),
      (_: Context, carrier: unknown, inbound: InboundDeadline) => {
        asked.push(carrier, inbound.sent);
        tellReceived(inbound);
        return planted;
      },
      () => void asked.push('third'),
    ];
    expect(extract(mine, { plant })).toBe(planted);
    expect(asked).toEqual(['first', mine, 5]);
    expect(told).toMatchObject([{ outcome: 'ok', remaining: 5 }]);
  });

  test('leave a carrier that none of them knows to the propagator, counted once', () => {
    const none = () => undefined;
    expect(receivedDeadline(extract({ 'x-request-timeout-ms': '5' }, { plant: [none, none] }))?.sent).toBe(5);
    expect(told).toHaveLength(1);
  });
});

describe('inject', () => {
  test('writes nothing unless asked to: it does not know the host', () => {
    const [ctx, cancel] = withTimeout(background(), 100);
    expect(inject(ctx)).toEqual({});
    cancel();
  });

  test('writes what is left, rounded down', () => {
    const [ctx, cancel] = withTimeout(background(), 100);
    now += 0.5;
    expect(inject(ctx, { inject: true })).toEqual({ 'x-request-timeout-ms': '99' });
    cancel();
  });

  test('writes 0 for a budget that is spent, nothing without one, and nothing for exporters', () => {
    const [spent] = withTimeout(background(), 0);
    const [free, cancel] = withCancel(background());
    expect(inject(spent, { inject: true })).toEqual({ 'x-request-timeout-ms': '0' });
    expect(inject(free, { inject: true })).toEqual({});
    expect(inject(ROOT_CONTEXT, { inject: true })).toEqual({});
    expect(inject(suppressTracing(spent), { inject: true })).toEqual({});
    cancel();
  });

  test('names its one field', () => {
    expect(new DeadlinePropagator().fields()).toEqual(['x-request-timeout-ms']);
  });
});

test.each([
  [{ maxTimeout: NaN }, RangeError, 'options.maxTimeout must be 0 or more milliseconds, got NaN'],
  [{ maxTimeout: -1 }, RangeError, 'options.maxTimeout must be 0 or more milliseconds, got -1'],
  [{ maxTimeout: '60' }, TypeError, 'options.maxTimeout must be a number of milliseconds, got "60"'],
  [
    { headers: 'grpc-timeout' },
    TypeError,
    'options.headers must be an array of header names, got "grpc-timeout"',
  ],
  [{ headers: [7] }, TypeError, 'options.headers must be an array of header names, got an object'],
  [null, TypeError, 'options must be an options object, got null'],
])('bad ways to read are refused when they are set, not at a request: %j', (options, kind, message) => {
  for (const give of [
    () => new DeadlinePropagator(options as never),
    () => deadlineReader(options as never),
  ]) {
    expect(give).toThrow(new kind(message));
    expect(give).toThrow(kind);
  }
});

test.each([
  [{ plant: 'plant' }, 'options.plant must be a function, got "plant"'],
  [{ plant: [() => undefined, null] }, 'options.plant must be a function, got null'],
  [{ inject: 'true' }, 'options.inject must be a boolean, got "true"'],
])('a propagator refuses %j when it is made', (options, message) => {
  expect(() => new DeadlinePropagator(options as never)).toThrow(new TypeError(message));
});

test('extract keeps what other propagators brought', () => {
  const key = Symbol('key');
  const ctx = new DeadlinePropagator().extract(ROOT_CONTEXT.setValue(key, 7), {}, defaultTextMapGetter);
  expect(from(ctx).getValue(key)).toBe(7);
});
