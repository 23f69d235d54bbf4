import {
  CanceledError,
  background,
  isCanceled,
  isDeadlineExceeded,
  scope,
  withCancel,
  withoutCancel,
  withTimeout,
} from '@curfew/context';
import { nodeOf, retire, subscribe, type Operation } from '@curfew/context/spi';
import { backstop, connect, query } from '@curfew/pg';
import { Client, type Pool } from 'pg';
import { useManualClock, type ManualClock } from '../../../test/manual-clock';
import { database } from './database';
import { proxy, rejection, until, type HeldCancel } from './support';

const db = database();

/** Sleeps so long that only a cancel can end it; the tag tells the tests apart in the db.server. */
const sleepFor = (tag: string) => `SELECT pg_sleep(600) /* ${tag} */`;

async function connected(options: { port?: number; pipeline?: boolean } = {}): Promise<Client> {
  const { user, password, database, host, port } = db.postgres;
  const client = new Client({ user, password, database, host, port, ...options });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

describe('what becomes of the query', () => {
  test('a query that finishes before the cancel takes effect yields its result, and the next one is unharmed', async () => {
    let held: HeldCancel | undefined;
    const between = await proxy(db.postgres.port, (cancel) => (held = cancel));
    const client = await connected({ port: between.port });
    const unlock = await db.server.lock(1);
    const [ctx, cancel] = withCancel(background());
    const first = query(ctx, client, 'SELECT pg_advisory_lock(1), 1 AS n /* late */');
    await db.server.running('late');
    cancel(new Error('hung up'));
    await until('the cancel is on its way', () => held !== undefined);
    let settled = false;
    void first.finally(() => (settled = true));
    await unlock();
    const next = query(background(), client, 'SELECT 2 AS n /* innocent */');
    await until(
      'the server has answered',
      async () => (await db.server.count(`state = 'idle' AND query LIKE '%late%'`)) === 1,
    );
    // The answer is there, the cancel is not: neither the caller nor the next query may go on.
    expect(settled).toBe(false);
    held?.forward();
    expect((await first).rows).toMatchObject([{ n: 1 }]);
    expect((await next).rows).toEqual([{ n: 2 }]);
    expect(db.hooks.outcomes()).toEqual(['completed']);
    await client.end();
    await between.close();
  });

  test('a cancel that overtakes its query, and so has no effect, is sent again', async () => {
    const between = await proxy(db.postgres.port, (cancel, nth) =>
      nth === 1 ? cancel.drop() : cancel.forward(),
    );
    const client = await connected({ port: between.port });
    const [ctx, cancel] = withCancel(background());
    const running = rejection(query(ctx, client, sleepFor('overtaken')));
    await db.server.running('overtaken');
    cancel(new Error('hung up'));
    expect(isCanceled(await running)).toBe(true);
    expect(between.tally.cancels).toBe(2);
    expect(db.hooks.outcomes()).toEqual(['canceled']);
    await client.end();
    await between.close();
  });

  test('the error is like that of the context, and leads through 57014 to what the canceller gave', async () => {
    const pool = db.open.pool();
    const [ctx, cancel] = withCancel(background());
    const running = rejection(query(ctx, pool, sleepFor('cause')));
    await db.server.running('cause');
    const given = new Error('hung up');
    cancel(given);
    const error = await running;
    expect(error).toMatchObject({
      name: 'AbortError',
      message: 'context canceled',
      cause: { code: '57014' },
    });
    expect(error).not.toBe(ctx.err());
    expect((error.cause as Error).cause).toBe(ctx.err());
    expect((ctx.err() as Error).cause).toBe(given);
    await db.server.idle();
  });

  test('a deadline stops the query as DeadlineExceeded', async () => {
    const { clock, restore } = useManualClock();
    const [ctx, cancel] = withTimeout(background(), 50);
    const running = rejection(query(ctx, db.open.pool(), sleepFor('deadline')));
    await db.server.running('deadline');
    clock.advance(50);
    expect(isDeadlineExceeded(await running)).toBe(true);
    await db.server.idle();
    cancel();
    restore();
  });

  test('a cancel by an administrator is no business of ours: 57014 passes untouched', async () => {
    const [ctx, cancel] = withCancel(background());
    const running = rejection(query(ctx, db.open.pool(), sleepFor('admin')));
    await db.server.running('admin');
    await db.server.cancel('admin');
    const error = await running;
    expect(error).toMatchObject({ code: '57014' });
    expect(isCanceled(error)).toBe(false);
    expect(db.hooks.cancels).toEqual([]);
    cancel();
  });

  test('a statement_timeout of the server passes untouched', async () => {
    const [ctx, cancel] = withCancel(background());
    const error = await rejection(query(ctx, db.open.pool({ statement_timeout: 20 }), sleepFor('timeout')));
    expect(error).toMatchObject({ code: '57014' });
    expect(isDeadlineExceeded(error)).toBe(false);
    cancel();
  });

  test('an error of the query itself passes untouched, with the stack of its caller', async () => {
    const error = await rejection(query(background(), db.open.pool(), 'SELECT 1/0'));
    expect(error).toMatchObject({ code: '22012' });
    expect(error.stack).toContain('query.test');
  });

  test('a query with values and a name answers as ever', async () => {
    const answer = await query<{ n: number }>(
      background(),
      db.open.pool(),
      { name: 'twice', text: 'SELECT $1::int * 2 AS n' },
      [21],
    );
    expect(answer).toMatchObject({ command: 'SELECT', rowCount: 1, rows: [{ n: 42 }] });
  });
});

describe('what is never sent', () => {
  test('a query is refused with the very error of a context that has ended', async () => {
    const client = await connected();
    const [ctx, cancel] = withCancel(background());
    cancel(new Error('hung up'));
    expect(await rejection(query(ctx, client, 'SELECT 1'))).toBe(ctx.err());
    expect(await rejection(query(ctx, db.open.pool(), 'SELECT 1'))).toBe(ctx.err());
    expect(db.hooks.refused()).toBe(2);
    await client.end();
  });

  test('a query that waits behind another on its client is dropped without a word to the server', async () => {
    const client = await connected();
    const [patient, release] = withCancel(background());
    const [ctx, cancel] = withCancel(background());
    const first = rejection(query(patient, client, sleepFor('first')));
    await db.server.running('first');
    const second = rejection(query(ctx, client, 'SELECT 1'));
    cancel(new Error('hung up'));
    expect(await second).toBe(ctx.err());
    expect(db.hooks.cancels).toEqual([]);
    expect(await db.server.count(`state = 'active' AND query LIKE '%first%'`)).toBe(1);
    release(new Error('enough'));
    await first;
    await client.end();
  });

  describe('while a blocked event loop hides that its deadline has passed', () => {
    let clock: ManualClock;
    let restore: () => void;
    beforeEach(() => ({ clock, restore } = useManualClock()));
    afterEach(() => restore());

    test('a query is refused as ever: in a later turn of the loop, and no operation begins', async () => {
      const client = await connected();
      const [ctx, cancel] = withTimeout(background(), 50);
      clock.block(50);
      const begun: string[] = [];
      const stop = subscribe({ operationBegun: ({ name }: Operation) => begun.push(name ?? '') });
      let turned = false;
      setImmediate(() => (turned = true));
      const error = await rejection(query(ctx, client, 'SELECT 1'));
      expect(error).toBe(ctx.err());
      expect({ turned, begun, refused: db.hooks.refused() }).toEqual({ turned: true, begun: [], refused: 1 });
      stop();
      cancel();
      await client.end();
    });

    test('a query that waited behind another on its client is not sent when its turn comes', async () => {
      const client = await connected();
      const [ctx, cancel] = withTimeout(background(), 50);
      // pg calls back and sends the next from its queue in one go.
      const ahead = new Promise<void>((resolve) => client.query('SELECT 1', () => resolve(clock.block(50))));
      const queued = rejection(query(ctx, client, 'CREATE TABLE never_made ()'));
      await ahead;
      expect(isDeadlineExceeded(await queued)).toBe(true);
      expect((await client.query(`SELECT to_regclass('never_made') AS made`)).rows).toEqual([{ made: null }]);
      cancel();
      await client.end();
    });

    test('no client is checked out', async () => {
      const pool = db.open.pool();
      const [ctx, cancel] = withTimeout(background(), 50);
      clock.block(50);
      expect(await rejection(connect(ctx, pool))).toBe(ctx.err());
      expect(pool.totalCount).toBe(0);
      cancel();
    });

    test('a client that arrives then goes back to its pool', async () => {
      const pool = db.open.pool({ max: 1 });
      const only = await pool.connect();
      const [ctx, cancel] = withTimeout(background(), 50);
      const waiting = rejection(connect(ctx, pool));
      clock.block(50);
      only.release();
      expect(await waiting).toBe(ctx.err());
      expect(pool.idleCount).toBe(1);
      cancel();
    });
  });
});

describe('what is never cancelled', () => {
  test('ROLLBACK gets through after the end of the context, and the connection is clean', async () => {
    const client = await connected();
    const [ctx, cancel] = withCancel(background());
    await query(ctx, client, 'BEGIN');
    const running = rejection(query(ctx, client, sleepFor('transaction')));
    await db.server.running('transaction');
    cancel(new Error('hung up'));
    expect(isCanceled(await running)).toBe(true);
    expect((await query(ctx, client, '/* tidy */ ROLLBACK')).command).toBe('ROLLBACK');
    expect((await client.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
    await client.end();
  });

  test('a COMMIT under way is left alone', async () => {
    const client = await connected();
    await client.query('CREATE TABLE slow (n int)');
    await client.query(
      `CREATE FUNCTION wait_at_commit() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN PERFORM pg_advisory_lock(2); RETURN NULL; END $$;
       CREATE CONSTRAINT TRIGGER slow_commit AFTER INSERT ON slow DEFERRABLE INITIALLY DEFERRED
       FOR EACH ROW EXECUTE FUNCTION wait_at_commit()`,
    );
    const unlock = await db.server.lock(2);
    const [ctx, cancel] = withCancel(background());
    await query(ctx, client, 'BEGIN');
    await query(ctx, client, 'INSERT INTO slow VALUES (1)');
    const committing = query(ctx, client, 'COMMIT');
    await db.server.running('COMMIT');
    cancel(new Error('hung up'));
    await unlock();
    expect((await committing).command).toBe('COMMIT');
    expect(db.hooks.cancels).toEqual([]);
    expect((await client.query('SELECT count(*)::int AS n FROM slow')).rows).toEqual([{ n: 1 }]);
    await client.end();
  });

  test('a query goes on after its request was retired, and under withoutCancel', async () => {
    const unlock = await db.server.lock(3);
    const pool = db.open.pool();
    const [request] = withCancel(background());
    const [ctx, cancel] = withCancel(background());
    const after = query(request, pool, 'SELECT pg_advisory_lock_shared(3), 1 AS n');
    const detached = query(withoutCancel(ctx), pool, 'SELECT pg_advisory_lock_shared(3), 2 AS n');
    await until('both wait', async () => (await db.server.count(`wait_event_type = 'Lock'`)) === 2);
    retire(request);
    cancel(new Error('hung up'));
    await unlock();
    expect((await after).rows).toMatchObject([{ n: 1 }]);
    expect((await detached).rows).toMatchObject([{ n: 2 }]);
  });

  test('a query in a pipeline is left alone, because a cancel would hit whichever is running', async () => {
    const client = await connected({ pipeline: true });
    const unlock = await db.server.lock(4);
    const [ctx, cancel] = withCancel(background());
    const first = query(background(), client, 'SELECT pg_advisory_lock(4), 1 AS n /* pipelined */');
    const second = query(ctx, client, 'SELECT 2 AS n');
    await db.server.running('pipelined');
    cancel(new Error('hung up'));
    await unlock();
    expect((await first).rows).toMatchObject([{ n: 1 }]);
    expect((await second).rows).toEqual([{ n: 2 }]);
    expect(await rejection(query(ctx, client, 'SELECT 3'))).toBe(ctx.err());
    await client.end();
  });
});

describe('when the cancel does not help', () => {
  test('a query that is unsettled after the grace costs its connection, and the pool opens another', async () => {
    const between = await proxy(db.postgres.port, (cancel) => cancel.drop());
    const pool = db.open.pool({
      connectionString: `${db.postgres.connectionString.replace(String(db.postgres.port), String(between.port))}`,
      max: 1,
    });
    const [ctx, cancel] = withCancel(background());
    const running = rejection(query(ctx, pool, sleepFor('deaf'), [], { grace: 100 }));
    await db.server.running('deaf');
    cancel(new Error('hung up'));
    expect(isCanceled(await running)).toBe(true);
    expect(db.hooks.outcomes()).toEqual(['timed_out']);
    expect((await query(background(), pool, 'SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
    expect(pool.totalCount).toBe(1);
    await db.server.client.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%deaf%' AND pid <> pg_backend_pid()`,
    );
    await db.open.end();
    await between.close();
  });

  test('a cancel that was sent and never answered has not failed: the query has timed out', async () => {
    const between = await proxy(db.postgres.port, () => undefined);
    const client = await connected({ port: between.port });
    const [ctx, cancel] = withCancel(background());
    const options = { grace: 100, cancelTimeout: 1_000 };
    const running = rejection(query(ctx, client, sleepFor('unanswered'), [], options));
    await db.server.running('unanswered');
    cancel(new Error('hung up'));
    expect(isCanceled(await running)).toBe(true);
    expect(db.hooks.outcomes()).toEqual(['timed_out']);
    await db.server.client.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%unanswered%' AND pid <> pg_backend_pid()`,
    );
    await between.close();
  });

  test('a cancel that cannot be sent is reported as failed', async () => {
    const between = await proxy(db.postgres.port, () => undefined);
    const client = await connected({ port: between.port });
    const [ctx, cancel] = withCancel(background());
    const running = rejection(query(ctx, client, sleepFor('unreachable'), [], { grace: 50 }));
    await db.server.running('unreachable');
    between.refuse();
    cancel(new Error('hung up'));
    expect(isCanceled(await running)).toBe(true);
    expect(db.hooks.outcomes()).toEqual(['failed']);
    await db.server.client.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%unreachable%' AND pid <> pg_backend_pid()`,
    );
    await between.close();
  });

  test('a session that a cancel may yet reach is used by nobody again', async () => {
    const held: HeldCancel[] = [];
    const between = await proxy(db.postgres.port, (cancel) => held.push(cancel));
    const pool = db.open.pool({
      connectionString: db.postgres.connectionString.replace(String(db.postgres.port), String(between.port)),
      max: 1,
    });
    const unlock = await db.server.lock(5);
    const [ctx, cancel] = withCancel(background());
    const running = query(ctx, pool, 'SELECT pg_advisory_lock(5), pg_backend_pid() AS pid /* doubt */', [], {
      cancelTimeout: 50,
    });
    await db.server.running('doubt');
    cancel(new Error('hung up'));
    await until('the cancel is on its way', () => held.length > 0);
    await unlock();
    const used = (await running).rows[0]?.['pid'];
    const { rows } = await query(background(), pool, 'SELECT pg_backend_pid() AS pid');
    expect(rows[0]?.['pid']).not.toBe(used);
    await db.open.end();
    await between.close();
  });
});

describe('what telemetry sees', () => {
  test('one operation from submit until the server is done, and nothing is left on the context', async () => {
    const seen: string[] = [];
    const stop = subscribe({
      operationBegun: ({ name, kind }: Operation) => seen.push(`begun ${name} ${kind}`),
      operationSettled: ({ name }: Operation) => seen.push(`settled ${name}`),
    });
    const pool = db.open.pool();
    const [ctx, cancel] = withCancel(background());
    await query(ctx, pool, 'SELECT 1');
    await rejection(query(ctx, pool, 'SELECT 1/0'));
    await query(ctx, pool, 'SELECT 1', [], { track: false });
    stop();
    expect(seen).toEqual([
      'begun pg.query client',
      'settled pg.query',
      'begun pg.query client',
      'settled pg.query',
    ]);
    expect(nodeOf(ctx)).toMatchObject({
      firstCallback: undefined,
      operations: undefined,
      controller: undefined,
    });
    cancel();
  });

  test('a backend cancel is told with its outcome and the time since the end of the context', async () => {
    const [ctx, cancel] = withCancel(background());
    const running = rejection(query(ctx, db.open.pool(), sleepFor('hook')));
    await db.server.running('hook');
    const before = performance.now();
    cancel(new Error('hung up'));
    await running;
    const atMost = performance.now() - before;
    expect(db.hooks.cancels).toHaveLength(1);
    const { system, outcome, duration, ctx: ended } = db.hooks.cancels[0]!;
    expect([system, outcome]).toEqual(['postgresql', 'canceled']);
    expect(duration).toBeGreaterThan(0);
    expect(duration).toBeLessThanOrEqual(atMost);
    expect(ended).toBe(ctx);
  });

  test('a context released over a running query ends it, and counts as canceled by its caller', async () => {
    const [ctx, release] = withCancel(background());
    const running = rejection(query(ctx, db.open.pool(), sleepFor('released')));
    await db.server.running('released');
    release();
    expect(isCanceled(await running)).toBe(true);
    expect(nodeOf(ctx)?.ending).toMatchObject({ outcome: 'canceled', origin: 'caller' });
  });
});

describe('backstop', () => {
  test('gives the rest of a transaction a statement_timeout of what is left of the budget', async () => {
    const client = await connected();
    const shown = async () =>
      Number(
        (await client.query(`SELECT setting FROM pg_settings WHERE name = 'statement_timeout'`)).rows[0]
          .setting,
      );
    await scope({ timeout: 5_000 }, async (ctx) => {
      await query(ctx, client, 'BEGIN');
      await backstop(ctx, client, { margin: 500 });
      expect(await shown()).toBeGreaterThan(500);
      expect(await shown()).toBeLessThanOrEqual(5_500);
      await query(ctx, client, 'COMMIT');
    });
    expect(await shown()).toBe(0);
    await backstop(background(), client);
    await client.end();
  });
});

test('bad arguments throw at once, and name themselves', () => {
  expect(() => query({} as never, {} as Pool, 'SELECT 1')).toThrow(/ctx/);
  expect(() => query(background(), {} as never, 'SELECT 1')).toThrow(/target/);
  expect(new CanceledError().name).toBe('AbortError');
});
