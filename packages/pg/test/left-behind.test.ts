import { background, isCanceled, run, withCancel } from '@curfew/context';
import { end, setEnforcement } from '@curfew/context/spi';
import { instrumentPg } from '@curfew/pg';
import pg from 'pg';
import { coveredDatabase } from './database';
import { rejection } from './support';

const db = coveredDatabase();

beforeAll(() => db.server.client.query('CREATE TABLE written (by text)'));
beforeEach(() => db.server.client.query('TRUNCATE written'));

/** A request in a transaction, on the only client of a pool, with no ROLLBACK for what never failed before. */
async function inTransaction(pool: pg.Pool) {
  const [ctx] = withCancel(background());
  const client = await run(ctx, () => pool.connect());
  await run(ctx, () => client.query('BEGIN'));
  await run(ctx, () => client.query(`INSERT INTO written VALUES ('request')`));
  const cause = new Error('client disconnected');
  return {
    client,
    query: (text: string) => run(ctx, () => client.query(text)),
    release: () => run(ctx, () => client.release()),
    hangUp: () => end(ctx, { origin: 'client_disconnect', cause, automatic: true }),
  };
}

async function written(): Promise<unknown[]> {
  const { rows } = await db.server.client.query<{ by: string }>('SELECT by FROM written');
  return rows.map(({ by }) => by);
}

const writeByJob = (pool: pg.Pool) => pool.query(`INSERT INTO written VALUES ('job')`);

describe('who borrows a client after a request that was cut off', () => {
  test('has what it writes committed, where the request was cut off in its transaction', async () => {
    const pool = db.open.pool({ max: 1 });
    const request = await inTransaction(pool);
    request.hangUp();
    request.release();
    await writeByJob(pool);
    expect(await written()).toEqual(['job']);
  });

  test('does not fail, where a statement of the transaction was cancelled', async () => {
    const pool = db.open.pool({ max: 1 });
    const request = await inTransaction(pool);
    const failed = rejection(request.query('SELECT pg_sleep(60) /* cut off */'));
    await db.server.running('cut off');
    request.hangUp();
    expect(isCanceled(await failed)).toBe(true);
    request.release();
    await writeByJob(pool);
    expect(await written()).toEqual(['job']);
  });

  test('gets the same client, where a ROLLBACK is on its way that nobody waits for', async () => {
    const pool = db.open.pool({ max: 1 });
    const request = await inTransaction(pool);
    request.hangUp();
    const rolledBack = request.query('ROLLBACK');
    request.release();
    await writeByJob(pool);
    expect((await rolledBack).command).toBe('ROLLBACK');
    expect(await written()).toEqual(['job']);
    expect(await pool.connect().then((client) => (client.release(), client))).toBe(request.client);
  });

  test('finds what pg leaves there, where nobody was cut off, and under the kill switch', async () => {
    for (const observed of [false, true]) {
      const restore = setEnforcement(!observed);
      const pool = db.open.pool({ max: 1 });
      const request = await inTransaction(pool);
      if (observed) request.hangUp();
      request.release();
      expect(await pool.connect().then((client) => (client.release(), client))).toBe(request.client);
      await pool.query('ROLLBACK');
      restore();
    }
  });

  test('is safe with a pg, too, that does not keep the state of the transaction', async () => {
    const older = copyOfPg();
    const prototype = older.Client.prototype as { getTransactionStatus?: unknown };
    delete prototype.getTransactionStatus;
    Object.defineProperty(prototype, '_txStatus', { get: () => undefined, set: () => undefined });
    const undoOlder = instrumentPg(older);
    const pool = new older.Pool({ connectionString: db.postgres.connectionString, max: 1 });
    const request = await inTransaction(pool);
    request.hangUp();
    request.release();
    await writeByJob(pool);
    expect(await written()).toEqual(['job']);
    await pool.end();
    undoOlder();
  });
});

/** An import would be the same copy each time. */
function copyOfPg(): typeof pg {
  let copy = pg;
  jest.isolateModules(() => {
    copy = require('pg') as typeof pg;
  });
  return copy;
}

describe('after the end of its request, what a handler says in its `finally`', () => {
  const CLEAN_UPS = [
    'SELECT pg_advisory_unlock(7)',
    'select pg_catalog.pg_advisory_unlock_all ()',
    '/* back */ RESET statement_timeout',
    'SET statement_timeout = 0',
    'UNLISTEN *',
    'DEALLOCATE ALL',
    'CLOSE ALL',
    'DISCARD ALL',
  ];

  test.each(CLEAN_UPS)('gets through: %s', async (text) => {
    const pool = db.open.pool({ max: 1 });
    const [ctx] = withCancel(background());
    const client = await run(ctx, () => pool.connect());
    end(ctx, { origin: 'client_disconnect', cause: new Error('client disconnected'), automatic: true });
    await expect(run(ctx, () => client.query(text))).resolves.toBeDefined();
    client.release();
  });

  test('is refused where it does work', async () => {
    const pool = db.open.pool({ max: 1 });
    const [ctx] = withCancel(background());
    const client = await run(ctx, () => pool.connect());
    end(ctx, { origin: 'client_disconnect', cause: new Error('client disconnected'), automatic: true });
    for (const text of ['SELECT pg_advisory_lock(7)', 'SETTLE', 'SELECT 1 /* RESET */']) {
      expect(isCanceled(await rejection(run(ctx, () => client.query(text))))).toBe(true);
    }
    client.release();
  });
});
