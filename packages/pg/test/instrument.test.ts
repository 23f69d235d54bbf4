import { AsyncLocalStorage } from 'node:async_hooks';
import { EventEmitter } from 'node:events';
import { context, ROOT_CONTEXT } from '@opentelemetry/api';
import {
  active,
  background,
  isCanceled,
  isDeadlineExceeded,
  run,
  scope,
  withCancel,
  withValue,
} from '@curfew/context';
import { isAutomatic } from '@curfew/context/spi';
import { instrumentPg } from '@curfew/pg';
import pg from 'pg';
import { useManualClock } from '../../../test/manual-clock';
import { coveredDatabase } from './database';
import { noting, rejection, until } from './support';

const db = coveredDatabase();

const KEY = Symbol.for('test.key');
const marked = (mark: string) => withValue(background(), KEY, mark);
const mark = () => context.active().getValue(KEY);

test('a request that ends stops pool.query in the server, without a change of the code', async () => {
  const { clock, restore } = useManualClock();
  const pool = db.open.pool();
  await pool.query('SELECT 1');
  const running = rejection(
    scope({ timeout: 200 }, () => pool.query('SELECT pg_sleep(600) /* unchanged */')),
  );
  await db.server.running('unchanged');
  clock.advance(200);
  expect(isDeadlineExceeded(await running)).toBe(true);
  restore();
  await db.server.idle();
  await until('the client is back', () => pool.idleCount === 1);
  expect(db.hooks.outcomes()).toEqual(['canceled']);
  expect(db.hooks.refused()).toBe(0);
});

test('a callback is called once, in the context and the AsyncLocalStorage of its caller', async () => {
  const pool = db.open.pool({ max: 1 });
  const storage = new AsyncLocalStorage<string>();
  // Another request has opened the connection, and its context is the one that the socket remembers.
  await run(withCancel(marked('stranger'))[0], () => storage.run('stranger', () => pool.query('SELECT 1')));
  const [ctx] = withCancel(marked('mine'));
  const seen = await new Promise<unknown[]>((resolve) => {
    run(ctx, () =>
      storage.run('mine', () => {
        pool.query('SELECT $1::int AS n', [1], (error, { rows }) =>
          resolve([error, rows, mark(), storage.getStore()]),
        );
      }),
    );
  });
  expect(seen).toEqual([undefined, [{ n: 1 }], 'mine', 'mine']);
});

test('a callback under no cancellation keeps its context as well', async () => {
  const pool = db.open.pool({ max: 1 });
  await run(withCancel(marked('stranger'))[0], () => pool.query('SELECT 1'));
  const seen = await new Promise<unknown>((resolve) => {
    context.with(marked('mine'), () => void pool.query('SELECT 1', () => resolve(mark())));
  });
  expect(seen).toBe('mine');
});

test('a notice is told in the context of the query that it belongs to', async () => {
  const pool = db.open.pool({ max: 1 });
  const client = await run(withCancel(marked('stranger'))[0], () => pool.connect());
  const seen: unknown[] = [];
  client.on('notice', ({ message }) => seen.push([message, mark()]));
  await run(withCancel(marked('mine'))[0], () => client.query(`DO $$ BEGIN RAISE NOTICE 'hello'; END $$`));
  client.release();
  expect(seen).toEqual([['hello', 'mine']]);
});

test('client.query with a callback is cancelled, and so are queries that wait behind it', async () => {
  const client = await db.open.pool().connect();
  const [ctx, cancel] = withCancel(background());
  const errors: unknown[] = [];
  run(ctx, () => {
    client.query('SELECT pg_sleep(600) /* callbacks */', (error) => errors.push(error));
    client.query('SELECT 2', [], (error) => errors.push(error));
  });
  await db.server.running('callbacks');
  cancel(new Error('hung up'));
  expect(errors).toEqual([]);
  await until('both are called back', () => errors.length === 2);
  expect(errors.every(isCanceled)).toBe(true);
  client.release();
});

test("pg's own Query tells its end by events, in the context of its caller", async () => {
  const client = await db.open.pool().connect();
  const [ctx, cancel] = withCancel(marked('mine'));
  const rows: unknown[] = [];
  await run(ctx, () => {
    const query = client.query(new pg.Query('SELECT generate_series(1, 2) AS n'));
    query.on('row', (row) => rows.push([row, mark()]));
    return new Promise((resolve) => query.on('end', resolve));
  });
  expect(rows).toEqual([
    [{ n: 1 }, 'mine'],
    [{ n: 2 }, 'mine'],
  ]);
  const failed = run(ctx, () => {
    const query = client.query(new pg.Query('SELECT pg_sleep(600) /* events */'));
    return new Promise((resolve) => query.on('error', resolve));
  });
  await db.server.running('events');
  cancel(new Error('hung up'));
  expect(isCanceled(await failed)).toBe(true);
  client.release();
});

/** As pg-cursor: its portal stays open until somebody closes it. */
class Cursor extends EventEmitter {
  connection: any;
  constructor(readonly text: string) {
    super();
  }
  submit(connection: any) {
    this.connection = connection;
    connection.parse({ text: this.text });
    connection.bind({ portal: 'c', values: [] });
    connection.flush();
  }
  fetch(rows: number) {
    this.connection.execute({ portal: 'c', rows });
    this.connection.flush();
  }
  close() {
    this.connection.close({ type: 'P', name: 'c' });
    this.connection.sync();
  }
  handleRowDescription() {}
  handleDataRow() {
    this.emit('row');
  }
  handlePortalSuspended() {
    this.emit('suspended');
  }
  handleCommandComplete() {}
  handleReadyForQuery() {
    this.emit('ready');
  }
  handleError(error: Error) {
    this.connection.sync();
    this.emit('error', error);
  }
}

test('a cursor is cancelled while it fetches, and left alone while it is idle', async () => {
  const client = await db.open.pool().connect();
  const once = (cursor: Cursor, event: string) => new Promise((resolve) => cursor.once(event, resolve));
  const [ctx, cancel] = withCancel(background());
  const busy = run(
    ctx,
    () => client.query(new Cursor('SELECT pg_sleep(600) /* fetching */') as never) as unknown as Cursor,
  );
  busy.fetch(1);
  await db.server.running('fetching');
  const failed = once(busy, 'error');
  cancel(new Error('hung up'));
  expect(isCanceled(await failed)).toBe(true);
  expect(db.hooks.outcomes()).toEqual(['canceled']);

  expect((await client.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
  const [other, end] = withCancel(background());
  const idle = run(
    other,
    () => client.query(new Cursor('SELECT generate_series(1, 9)') as never) as unknown as Cursor,
  );
  const suspended = once(idle, 'suspended');
  idle.fetch(1);
  await suspended;
  end(new Error('hung up'));
  const ready = once(idle, 'ready');
  idle.close();
  await ready;
  expect((await client.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
  client.release();
});

test('pool.connect waits no longer than its context, with a promise and with a callback', async () => {
  const pool = db.open.pool({ max: 1 });
  const only = await pool.connect();
  const [ctx, cancel] = withCancel(background());
  const called: unknown[] = [];
  const waiting = rejection(run(ctx, () => pool.connect()));
  run(ctx, () => pool.connect((error) => called.push(error)));
  cancel(new Error('hung up'));
  const errors = [await waiting, ...called] as Error[];
  only.release();
  expect(errors).toHaveLength(2);
  expect(errors.every((error) => isCanceled(error) && isAutomatic(error))).toBe(true);
  expect(errors.map(({ cause }) => cause)).toEqual([ctx.err(), ctx.err()]);
  expect(errors).not.toContain(ctx.err());
  expect(pool.waitingCount).toBe(0);
});

test('a connection that a request opened does not end with it', async () => {
  const pool = db.open.pool({ max: 1 });
  let during: unknown;
  pool.on('connect', () => (during = active().signal));
  await scope({ timeout: 60_000 }, () => pool.query('SELECT 1'));
  expect(during).toBeUndefined();
  expect((await pool.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
});

test("a query's own query_timeout is still obeyed", async () => {
  const client = await db.open.pool().connect();
  const [ctx, cancel] = withCancel(background());
  const error = await rejection(
    run(ctx, () => client.query({ text: 'SELECT pg_sleep(600) /* own */', query_timeout: 30 } as never)),
  );
  expect(error.message).toBe('Query read timeout');
  // The server still works on it, so the end of the context still stops it.
  cancel(new Error('hung up'));
  await db.server.idle();
  client.release();
});

test('what pg says of bad calls, it still says', async () => {
  const pool = db.open.pool();
  await scope({ timeout: 60_000 }, async () => {
    const client = await pool.connect();
    expect(() => client.query(null as never)).toThrow(/null or undefined/);
    expect(() => client.query('SELECT 1', [], 'nonsense' as never)).toThrow(/not a function/);
    expect((await rejection(client.query({} as never))).message).toMatch(/either text or a name/);
    expect((await rejection(client.query('SELECT 1', 7 as never))).message).toMatch(/must be an array/);
    expect((await client.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
    client.release();
  });
});

test('what runs under no context is pg itself', async () => {
  expect(context.active()).toBe(ROOT_CONTEXT);
  const pool = db.open.pool();
  expect((await pool.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
  const client = await pool.connect();
  const submitted = client.query(new pg.Query('SELECT 1'));
  expect(Object.keys(submitted)).not.toContain('submit');
  await new Promise((resolve) => submitted.on('end', resolve));
  client.release();
});

test('an instrumentation that goes over ours sees every query once', async () => {
  const notes = noting(() => 'seen');
  const pool = db.open.pool({ Client: notes.Client });
  await scope({ timeout: 60_000 }, async () => {
    await pool.query('SELECT 1');
    expect(notes.seen).toHaveLength(1);
    const client = await pool.connect();
    await client.query('SELECT 2');
    await new Promise((resolve) => client.query('SELECT 3', resolve));
    await new Promise((resolve) => client.query(new pg.Query('SELECT 4')).on('end', resolve));
    client.release();
  });
  expect(notes.seen).toHaveLength(4);
});

test('covering twice is covering once, and undoing puts everything back', async () => {
  const covered = pg.Client.prototype.query;
  instrumentPg(pg)();
  expect(pg.Client.prototype.query).toBe(covered);
  db.undo();
  expect(pg.Client.prototype.query).not.toBe(covered);
  expect(Object.prototype.hasOwnProperty.call(pg.Pool.prototype, 'query')).toBe(false);
  db.undo = instrumentPg(pg);
  expect(instrumentPg({ Client: { prototype: {} }, Pool: { prototype: {} } })()).toBeUndefined();
});
