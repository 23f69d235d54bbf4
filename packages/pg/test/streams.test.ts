import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { background, isCanceled, run, withCancel, type Context } from '@curfew/context';
import { end, isAutomatic } from '@curfew/context/spi';
import pg from 'pg';
import Cursor from 'pg-cursor';
import QueryStream from 'pg-query-stream';
import { coveredDatabase } from './database';
import { rejection, until } from './support';

const db = coveredDatabase();

const hangUp = (ctx: Context) => end(ctx, { origin: 'client_disconnect', cause: new Error('hung up') });
const numbers = (count: number) => `SELECT g FROM generate_series(1, ${count}) g`;

/** Counts the rows, and calls at each of them. */
function counter(at: (row: number) => void = () => undefined) {
  const sink = new Writable({
    objectMode: true,
    write(_row, _encoding, next) {
      counted.rows++;
      at(counted.rows);
      setImmediate(next);
    },
  });
  const counted = { rows: 0, sink };
  return counted;
}

test('a stream to whose errors nobody listens goes on to its end, and so its client comes back', async () => {
  const pool = db.open.pool({ max: 1 });
  const [ctx] = withCancel(background());
  // As the README of pg-query-stream has it.
  const counted = counter((rows) => rows === 150 && hangUp(ctx));
  const finished = new Promise((resolve) => counted.sink.on('finish', resolve));
  run(ctx, () => {
    pool.connect((error, client, done) => {
      if (error) throw error;
      const stream = client!.query(new QueryStream(numbers(1_000)));
      stream.on('end', done);
      stream.pipe(counted.sink);
    });
  });
  await finished;
  expect(ctx.err()).toBeDefined();
  expect(counted.rows).toBe(1_000);
  await until('the client is back', () => pool.idleCount === 1);
  expect(db.hooks.cancels).toEqual([]);
});

test('one to whose errors somebody listens is destroyed with an error of its own, and nothing is told as whole', async () => {
  const pool = db.open.pool({ max: 1 });
  const client = await pool.connect();
  const [ctx] = withCancel(background());
  const counted = counter((rows) => rows === 150 && hangUp(ctx));
  const events: string[] = [];
  counted.sink.on('finish', () => events.push('finish'));
  const stream = run(ctx, () => client.query(new QueryStream(numbers(1_000_000))));
  stream.on('end', () => events.push('end'));
  const failed = new Promise((resolve) => stream.on('error', resolve));
  stream.pipe(counted.sink);
  const error = (await failed) as Error;
  expect(isCanceled(error) && isAutomatic(error)).toBe(true);
  expect(error.cause).toBe(ctx.err());
  expect(events).toEqual([]);
  expect((await client.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
  client.release();
});

test.each<[string, (stream: QueryStream, at: (row: number) => void) => Promise<unknown>]>([
  [
    'for await',
    async (stream, at) => {
      let rows = 0;
      for await (const _row of stream) at(++rows);
    },
  ],
  ['pipeline', (stream, at) => pipeline(stream, counter(at).sink)],
])('%s over a stream fails at the end of the context, and leaves the client clean', async (_, consume) => {
  const client = await db.open.pool({ max: 1 }).connect();
  const [ctx] = withCancel(background());
  const error = await rejection(
    run(ctx, () =>
      consume(client.query(new QueryStream(numbers(1_000_000))), (row) => {
        if (row === 150) hangUp(ctx);
      }),
    ),
  );
  expect(isCanceled(error) && isAutomatic(error)).toBe(true);
  expect((await client.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
  client.release();
});

test('a stream made under a context that has ended waits for its listeners, and then fails', async () => {
  const client = await db.open.pool({ max: 1 }).connect();
  const [ctx] = withCancel(background());
  hangUp(ctx);
  const stream = run(ctx, () => client.query(new QueryStream(numbers(10))));
  const failed = new Promise((resolve) => stream.on('error', resolve));
  expect(isAutomatic(await failed)).toBe(true);
  const unheard = run(ctx, () => client.query(new QueryStream(numbers(10))));
  const whole = counter();
  await new Promise((resolve) => unheard.pipe(whole.sink).on('finish', resolve));
  expect(whole.rows).toBe(10);
  client.release();
});

test.each([numbers(1_000), 'CREATE TEMPORARY TABLE IF NOT EXISTS nothing ()'])(
  'a stream that ends between its turn and the first answer leaves nothing behind for the next query: %s',
  async (text) => {
    const client = await db.open.pool({ max: 1 }).connect();
    const [ctx] = withCancel(background());
    const ahead = client.query('SELECT 1');
    const stream = run(ctx, () => client.query(new QueryStream(text)));
    // A read waits for the server to describe the cursor.
    const failed = new Promise((resolve) => stream.on('error', resolve).on('data', () => undefined));
    await ahead;
    hangUp(ctx);
    expect(isAutomatic(await failed)).toBe(true);
    for (let i = 0; i < 3; i++) expect((await client.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
    client.release();
  },
);

test.each([1, 10, 100_000])(
  'a stream over %i rows that ends before the server has described them does not disturb the answers to come',
  async (count) => {
    const client = await db.open.pool({ max: 1 }).connect();
    for (let i = 0; i < 5; i++) {
      const [ctx] = withCancel(background());
      const stream = run(ctx, () => client.query(new QueryStream(numbers(count))));
      const failed = new Promise((resolve) => stream.on('error', resolve).on('data', () => undefined));
      // Its first read is on its way, and nothing can have come back: the loop has not turned.
      for (let tick = 0; tick < 5; tick++) await new Promise<void>((resolve) => process.nextTick(resolve));
      hangUp(ctx);
      expect(isAutomatic(await failed)).toBe(true);
      for (let n = 0; n < 3; n++) {
        expect((await client.query('SELECT $1::int AS n', [n])).rows).toEqual([{ n }]);
      }
      const whole = counter();
      await pipeline(client.query(new QueryStream(numbers(200))), whole.sink);
      expect(whole.rows).toBe(200);
    }
    client.release();
  },
);

test('a cursor fails the reads that wait, with or without a listener, and can be closed', async () => {
  const client = await db.open.pool({ max: 1 }).connect();
  const [ctx] = withCancel(background());
  const cursor = run(ctx, () => client.query(new Cursor('SELECT pg_sleep(600) /* fetching */')));
  const reading = rejection(cursor.read(1));
  await db.server.running('fetching');
  hangUp(ctx);
  const error = await reading;
  expect(isCanceled(error) && isAutomatic(error)).toBe(true);
  expect((error.cause as { code?: string }).code).toBe('57014');
  await cursor.close();
  const refused = run(ctx, () => client.query(new Cursor('SELECT 1')));
  expect(isAutomatic(await rejection(refused.read(1)))).toBe(true);
  expect((await client.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
  client.release();
});

test("pg's own Query without a callback goes on where nobody listens to its errors", async () => {
  const client = await db.open.pool({ max: 1 }).connect();
  const [ctx] = withCancel(background());
  const unlock = await db.server.lock(7);
  const slow = new pg.Query('SELECT 1 AS n, pg_advisory_lock_shared(7) /* events */');
  const going = run(ctx, () => client.query(slow));
  const rows: unknown[] = [];
  going.on('row', (row) => rows.push(row));
  const done = new Promise((resolve) => going.on('end', resolve));
  await db.server.running('events');
  hangUp(ctx);
  await unlock();
  await done;
  expect(rows).toMatchObject([{ n: 1 }]);
  client.release();
});
