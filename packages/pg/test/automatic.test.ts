import { context } from '@opentelemetry/api';
import {
  background,
  isCanceled,
  isDeadlineExceeded,
  run,
  withCancel,
  withoutCancel,
  withTimeout,
  type Context,
} from '@curfew/context';
import {
  end,
  guarded,
  isAutomatic,
  setEnforcement,
  setGuard,
  subscribe,
  type Operation,
} from '@curfew/context/spi';
import { connect, instrumentPg, query } from '@curfew/pg';
import pg from 'pg';
import { useManualClock } from '../../../test/manual-clock';
import { coveredDatabase } from './database';
import { proxy, rejection } from './support';

const db = coveredDatabase({ grace: 100 });

const hangUp = (ctx: Context) => end(ctx, { origin: 'client_disconnect', cause: new Error('hung up') });

/** A context that has ended already. */
function ended(): Context {
  const [ctx] = withCancel(background());
  hangUp(ctx);
  return ctx;
}

describe('its error', () => {
  test('each query has one of its own, marked, that leads through 57014 to that of the context', async () => {
    const pool = db.open.pool({ max: 2 });
    const [ctx] = withCancel(background());
    const two = run(ctx, () =>
      [1, 2].map((n) => rejection(pool.query(`SELECT pg_sleep(600) /* own ${n} */`))),
    );
    await db.server.running('own 1');
    await db.server.running('own 2');
    hangUp(ctx);
    const [first, second] = await Promise.all(two);
    expect(first).not.toBe(second);
    for (const error of [first, second]) {
      expect(isCanceled(error) && isAutomatic(error)).toBe(true);
      expect(error).toMatchObject({ name: 'AbortError', cause: { code: '57014' } });
      expect((error?.cause as Error).cause).toBe(ctx.err());
      expect(error?.stack).toContain('automatic.test');
    }
  });

  test('refused or dropped from a queue, it leads to that of the context at once', async () => {
    const pool = db.open.pool({ max: 1 });
    const [ctx] = withCancel(background());
    const client = await pool.connect();
    const unlock = await db.server.lock(7);
    const ahead = client.query('SELECT pg_advisory_lock_shared(7)');
    const queued = rejection(run(ctx, () => client.query('SELECT 1')));
    const waiting = rejection(run(ctx, () => pool.query('SELECT 1')));
    hangUp(ctx);
    const refused = rejection(run(ctx, () => pool.connect()));
    for (const error of [await queued, await waiting, await refused]) {
      expect(isAutomatic(error)).toBe(true);
      expect(error.cause).toBe(ctx.err());
      expect(error).not.toBe(ctx.err());
    }
    await unlock();
    await ahead;
    client.release();
  });

  test('the explicit forms fail with the error of the context, marked by nobody', async () => {
    const pool = db.open.pool();
    const [ctx, cancel] = withCancel(background());
    const running = rejection(query(ctx, pool, 'SELECT pg_sleep(600) /* explicit */'));
    await db.server.running('explicit');
    cancel(new Error('enough'));
    expect(isAutomatic(await running)).toBe(false);
    expect(await rejection(connect(ctx, pool))).toBe(ctx.err());
    expect(isAutomatic(ctx.err())).toBe(false);
  });

  test('a client whose connection it cost fails its ROLLBACK with such an error too', async () => {
    const between = await proxy(db.postgres.port, (cancel) => cancel.drop());
    const pool = db.open.pool({
      connectionString: db.postgres.connectionString.replace(String(db.postgres.port), String(between.port)),
    });
    const [ctx] = withCancel(background());
    const errors = await run(ctx, async () => {
      const client = await pool.connect();
      await client.query('BEGIN');
      const running = rejection(client.query('SELECT pg_sleep(600) /* deaf */'));
      const behind = rejection(client.query('COMMIT'));
      await db.server.running('deaf');
      hangUp(ctx);
      const all = [await running, await behind];
      // Whether it is said under the context, or detached as a clean-up ought to be.
      for (const under of [ctx, withoutCancel(ctx)]) {
        all.push(await rejection(context.with(under, () => client.query('ROLLBACK'))));
      }
      client.release();
      return all;
    });
    expect(errors.map(isAutomatic)).toEqual([true, true, true, true]);
    expect((await pool.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
    await db.server.client.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%deaf%' AND pid <> pg_backend_pid()`,
    );
    await db.open.end();
    await between.close();
  });
});

describe('under a context that has ended', () => {
  test.each<[string, (pool: pg.Pool, client: pg.PoolClient) => Promise<unknown>]>([
    ['pool.query', (pool) => pool.query('SELECT 1')],
    ['pool.connect', async (pool) => (await pool.connect()).release()],
    ['client.query', (_, client) => client.query('SELECT 1')],
  ])('%s, tried again without a pause, starves nobody and gets through', async (_, once) => {
    const pool = db.open.pool();
    const client = await pool.connect();
    let turns = 0;
    const turn = () => {
      turns++;
      turning = setImmediate(turn);
    };
    let turning = setImmediate(turn);
    let tries = 0;
    await run(ended(), async () => {
      for (;;) {
        tries++;
        try {
          await once(pool, client);
          break;
        } catch (error) {
          expect(isAutomatic(error)).toBe(true);
        }
      }
    });
    clearImmediate(turning);
    expect(turns).toBeGreaterThanOrEqual(16);
    client.release();
    expect(tries).toBe(17);
    expect(db.hooks.refused()).toBe(16);
  });

  test('a refusal comes in a later turn of the loop, that of an explicit form too, which is refused always', async () => {
    const pool = db.open.pool();
    const client = await pool.connect();
    const ctx = ended();
    for (const attempt of [
      () => run(ctx, () => pool.query('SELECT 1')),
      () => run(ctx, () => client.query('SELECT 1')),
      () => query(ctx, pool, 'SELECT 1'),
      () => query(ctx, client, 'SELECT 1'),
    ]) {
      let turned = false;
      setImmediate(() => (turned = true));
      await rejection(attempt());
      expect(turned).toBe(true);
    }
    client.release();
    for (let i = 0; i < 40; i++) expect(await rejection(query(ctx, pool, 'SELECT 1'))).toBe(ctx.err());
    expect({ total: pool.totalCount, idle: pool.idleCount }).toEqual({ total: 1, idle: 1 });
  });

  test('what is no longer refused is an operation like any other, and no cancel is sent for it', async () => {
    const pool = db.open.pool();
    const ctx = ended();
    for (let i = 0; i < 16; i++) await rejection(run(ctx, () => pool.query('SELECT 1')));
    const seen: string[] = [];
    const stop = subscribe({
      operationBegun: ({ name }: Operation) => seen.push(`begun ${name}`),
      operationSettled: ({ name }: Operation) => seen.push(`settled ${name}`),
    });
    const unlock = await db.server.lock(7);
    const going = context.with(ctx, () =>
      pool.query('SELECT pg_advisory_lock_shared(7), 1 AS n /* spared */'),
    );
    await db.server.running('spared');
    await unlock();
    expect((await going).rows).toMatchObject([{ n: 1 }]);
    stop();
    expect(seen).toEqual(['begun pg.query', 'settled pg.query']);
    expect(db.hooks.cancels).toEqual([]);
  });
});

describe('where it may not cancel', () => {
  test('under the kill switch queries and checkouts are those of pg, and the explicit forms cancel', async () => {
    const restore = setEnforcement(false);
    try {
      const pool = db.open.pool({ max: 1 });
      const [ctx, cancel] = withCancel(background());
      const client = await run(ctx, () => pool.connect());
      const submitted = run(ctx, () => client.query(new pg.Query('SELECT 1')));
      expect(Object.keys(submitted)).not.toContain('submit');
      await new Promise((resolve) => submitted.on('end', resolve));
      const callback = () => undefined;
      run(ctx, () => pool.connect(callback));
      expect((pool as unknown as { _pendingQueue: { callback: unknown }[] })._pendingQueue[0]?.callback).toBe(
        callback,
      );
      cancel(new Error('the program itself'));
      expect((await run(ctx, () => client.query('SELECT 1 AS n'))).rows).toEqual([{ n: 1 }]);
      expect(await rejection(query(ctx, client, 'SELECT 1'))).toBe(ctx.err());
      const [explicit, end] = withCancel(background());
      const running = rejection(query(explicit, client, 'SELECT pg_sleep(600) /* given */'));
      await db.server.running('given');
      end(new Error('the program itself'));
      expect(isCanceled(await running)).toBe(true);
      await db.server.idle();
      (pool as unknown as { _pendingQueue: unknown[] })._pendingQueue.length = 0;
      client.release();
    } finally {
      restore();
    }
  });

  test.each([
    ['the guard is switched off', () => setGuard(false)],
    ['the kill switch is thrown meanwhile', () => setEnforcement(false)],
  ])('a query goes on after the end of its context where %s', async (_, change) => {
    const pool = db.open.pool({ max: 1 });
    const [ctx, cancel] = withCancel(background());
    const unlock = await db.server.lock(7);
    const running = run(ctx, () => pool.query('SELECT 1 AS n, pg_advisory_lock_shared(7) /* goes on */'));
    await db.server.running('goes on');
    const waiting = run(ctx, () => pool.query('SELECT 2 AS n'));
    const restore = change();
    try {
      cancel(new Error('the program itself'));
      await unlock();
      expect((await running).rows).toMatchObject([{ n: 1 }]);
      expect((await waiting).rows).toEqual([{ n: 2 }]);
      expect((await run(ctx, () => pool.query('SELECT 3 AS n'))).rows).toEqual([{ n: 3 }]);
    } finally {
      restore();
    }
    expect(db.hooks.cancels).toEqual([]);
    expect(db.hooks.refused()).toBe(0);
  });

  test('covering pg installs the guard, and undoing takes it away', () => {
    expect(guarded()).toBe(true);
    db.undo();
    expect(guarded()).toBe(false);
    db.undo = instrumentPg(pg, { grace: 100 });
    expect(guarded()).toBe(true);
  });
});

test('whoever reads err() and so notices a deadline runs nothing of this; the time of the end is exact', async () => {
  const { clock, restore } = useManualClock();
  const pool = db.open.pool();
  const client = await pool.connect();
  const [ctx, cancel] = withTimeout(background(), 100);
  const running = rejection(run(ctx, () => client.query('SELECT pg_sleep(600) /* noticed */')));
  await db.server.running('noticed');
  clock.block(230);
  const held = () => Object.prototype.hasOwnProperty.call(client, '_pulseQueryQueue');
  expect(isDeadlineExceeded(ctx.err())).toBe(true);
  expect(held()).toBe(false);
  await Promise.resolve();
  expect(held()).toBe(true);
  expect(isDeadlineExceeded(await running)).toBe(true);
  // Since the deadline, of which nobody knew for as long as the loop was blocked.
  expect(db.hooks.cancels[0]?.duration).toBe(130);
  client.release();
  cancel();
  restore();
});
