import { background, isCanceled, isDeadlineExceeded, scope, withCancel } from '@curfew/context';
import { connect, query } from '@curfew/pg';
import { database } from './database';
import { proxy, rejection, until } from './support';

const db = database();

test('300 queries cancelled as they finish: not one innocent next query on the connection is killed', async () => {
  const pool = db.open.pool({ max: 1 });
  const seed = Date.now() % 1_000_000;
  let state = seed;
  const random = () => (state = (state * 48271) % 2147483647) / 2147483647;
  const victims: unknown[] = [];
  for (let i = 0; i < 300; i++) {
    const [ctx, cancel] = withCancel(background());
    const client = await connect(ctx, pool);
    const first = query(ctx, client, 'SELECT pg_sleep(0.002)').catch(() => undefined);
    setTimeout(() => cancel(new Error('hung up')), 1 + random() * 3);
    await first;
    client.release();
    await query(background(), pool, 'SELECT pg_sleep(0.002)').catch((error: unknown) => victims.push(error));
  }
  expect({ seed, victims }).toEqual({ seed, victims: [] });
});

test('twenty queries that time out never make more backends than the pool may have', async () => {
  const between = await proxy(db.postgres.port, (cancel) => cancel.forward());
  const pool = db.open.pool({
    connectionString: db.postgres.connectionString.replace(String(db.postgres.port), String(between.port)),
    max: 2,
  });
  const most = { inServer: 0 };
  let over = false;
  const watching = (async () => {
    while (!over) most.inServer = Math.max(most.inServer, await db.server.count('true'));
  })();
  const late = (tag: number) =>
    rejection(scope({ timeout: 40 }, (ctx) => query(ctx, pool, `SELECT pg_sleep(600) /* ${tag} */`)));
  const together = await Promise.all(Array.from({ length: 10 }, (_, i) => late(i)));
  const inTurn = [];
  for (let i = 10; i < 20; i++) inTurn.push(await late(i));
  await db.server.idle();
  over = true;
  await watching;
  expect([...together, ...inTurn].every(isDeadlineExceeded)).toBe(true);
  // Two tallies: what PostgreSQL lists, and the sessions that the proxy saw it hold open at once.
  expect(most.inServer).toBeLessThanOrEqual(2);
  expect(between.tally.mostSessions).toBeLessThanOrEqual(2);
  await until('all are back', () => pool.idleCount === pool.totalCount && pool.waitingCount === 0);
  expect((await query(background(), pool, 'SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
  await db.open.end();
  await between.close();
});

test('fifty aborted queries leave the pool idle, with nobody waiting', async () => {
  const pool = db.open.pool({ max: 5 });
  const [ctx, cancel] = withCancel(background());
  const all = Array.from({ length: 50 }, () =>
    rejection(query(ctx, pool, 'SELECT pg_sleep(600) /* fifty */')),
  );
  await until(
    'five run',
    async () => (await db.server.count(`state = 'active' AND query LIKE '%fifty%'`)) === 5,
  );
  cancel(new Error('hung up'));
  expect((await Promise.all(all)).every(isCanceled)).toBe(true);
  await db.server.idle();
  expect({ idle: pool.idleCount, total: pool.totalCount, waiting: pool.waitingCount }).toEqual({
    idle: 5,
    total: 5,
    waiting: 0,
  });
});

test('waiting for a client ends with the context, and the place in the queue is given up', async () => {
  const pool = db.open.pool({ max: 1 });
  const only = await pool.connect();
  const [ctx, cancel] = withCancel(background());
  const waiting = rejection(connect(ctx, pool));
  expect(pool.waitingCount).toBe(1);
  cancel(new Error('hung up'));
  expect(await waiting).toBe(ctx.err());
  expect(pool.waitingCount).toBe(0);
  only.release();
  expect((await pool.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
});

test('a client that arrives after its context has ended goes back to the pool, set up all the same', async () => {
  const pool = db.open.pool({ max: 1 });
  const [ctx, cancel] = withCancel(background());
  let arrived: (() => void) | undefined;
  pool.on('connect', (client) => {
    void client.query(`SET application_name = 'set up'`).then(() => arrived?.());
  });
  const done = new Promise<void>((resolve) => (arrived = resolve));
  const waiting = rejection(connect(ctx, pool));
  cancel(new Error('hung up'));
  expect(await waiting).toBe(ctx.err());
  await done;
  await until('it is back', () => pool.idleCount === 1);
  expect((await pool.query('SHOW application_name')).rows).toEqual([{ application_name: 'set up' }]);
});

test('a checkout under an ended context is refused before it begins', async () => {
  const pool = db.open.pool();
  const [ctx, cancel] = withCancel(background());
  cancel(new Error('hung up'));
  expect(await rejection(connect(ctx, pool))).toBe(ctx.err());
  expect(pool.totalCount).toBe(0);
  expect(db.hooks.refused()).toBe(1);
});

test('a pool that cannot connect rejects with its own error', async () => {
  const pool = db.open.pool({ connectionString: 'postgresql://nobody:wrong@127.0.0.1:1/none' });
  expect(await rejection(query(background(), pool, 'SELECT 1'))).toMatchObject({ code: 'ECONNREFUSED' });
  await pool.end();
  expect((await rejection(connect(background(), pool))).message).toMatch(/after calling end/);
});
