import { diag, DiagLogLevel, type DiagLogger } from '@opentelemetry/api';
import { guarded } from '@curfew/context/spi';
import { instrumentPg } from '@curfew/pg';

const said: string[] = [];
beforeAll(() => {
  const logger = { warn: (message: string) => said.push(message) } as unknown as DiagLogger;
  diag.setLogger(
    { ...logger, error: logger.warn, info: () => {}, debug: () => {}, verbose: () => {} },
    {
      logLevel: DiagLogLevel.WARN,
      suppressOverrideMessage: true,
    },
  );
});
afterAll(() => diag.disable());

const throwing = (name: string) =>
  Object.defineProperty({}, name, {
    get: () => {
      throw new Error('a getter');
    },
  });
const refusing = new Proxy(
  {},
  {
    get: () => {
      throw new Error('a trap');
    },
    has: () => {
      throw new Error('a trap');
    },
  },
);
const arrow = () => undefined;

/** A client and a pool as pg has them, by their shape. */
function likePg() {
  class Client {
    query() {}
    connect() {}
    _handleReadyForQuery() {}
  }
  class Pool {
    query() {}
    connect() {}
  }
  return { Client, Pool };
}

test.each<[string, () => unknown]>([
  ['an empty stub', () => ({})],
  ['null', () => null],
  ['a function', () => arrow],
  ['a class without a prototype', () => ({ Client: arrow, Pool: arrow })],
  ['a Client alone', () => ({ Client: likePg().Client })],
  ['a Client that is null', () => ({ ...likePg(), Client: null })],
  ['getters that throw', () => Object.assign(throwing('Client'), { Pool: likePg().Pool })],
  ['a prototype whose getters throw', () => ({ ...likePg(), Client: { prototype: throwing('query') } })],
  ['a proxy whose traps throw', () => refusing],
  [
    'the native client',
    () => ({
      ...likePg(),
      Client: class {
        query() {}
        connect() {}
      },
    }),
  ],
  ['a mock by hand', () => ({ Client: jest.fn(), Pool: jest.fn(() => ({ query: jest.fn() })) })],
  [
    'an automatic mock',
    () => {
      const pg = likePg();
      pg.Client.prototype.query = jest.fn();
      return pg;
    },
  ],
])('%s in the place of pg is left as it is, and nothing throws', (_, make) => {
  const stub = make();
  const undo = instrumentPg(stub as never);
  expect(guarded()).toBe(false);
  expect(covered(stub)).toBe(false);
  undo();
});

/** Whether `Client.prototype.query` is ours, asked without touching a getter. */
function covered(stub: unknown): boolean {
  if (stub === refusing) return false;
  let value: unknown = stub;
  for (const name of ['Client', 'prototype', 'query']) {
    value = Object.getOwnPropertyDescriptor(Object(value), name)?.value;
  }
  return typeof value === 'function' && Symbol.for('@curfew/pg.wrapped.v1') in value;
}

test('what has the shape of pg is covered', () => {
  const pg = likePg();
  const undo = instrumentPg(pg);
  expect([covered(pg), guarded()]).toEqual([true, true]);
  undo();
  expect([covered(pg), guarded()]).toEqual([false, false]);
});

test('a frozen prototype is left alone as a whole', () => {
  const pg = likePg();
  Object.freeze(pg.Pool.prototype);
  instrumentPg(pg);
  expect([covered(pg), guarded()]).toEqual([false, false]);
});

test('that is said once, however many stubs there are', () => {
  expect(said).toHaveLength(1);
  expect(said[0]).toMatch(/^curfew: queries of pg are not cancelled/);
});
