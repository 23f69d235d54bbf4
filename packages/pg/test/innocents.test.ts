import { AsyncLocalStorage } from 'node:async_hooks';
import { context, ROOT_CONTEXT } from '@opentelemetry/api';
import { background, isCanceled, run, withCancel, withValue } from '@curfew/context';
import { nodeOf } from '@curfew/context/spi';
import pg from 'pg';
import { coveredDatabase } from './database';
import { noting, rejection, until } from './support';

const db = coveredDatabase();

const KEY = Symbol.for('test.key');
const marked = (mark: string) => withValue(background(), KEY, mark);
const mark = () => context.active().getValue(KEY);
const storage = new AsyncLocalStorage<string>();
const inRequest = () => nodeOf(context.active()) !== undefined;

/** A request that holds the only client, to be released and ended by the test within it. */
async function request(pool: pg.Pool) {
  const [ctx, cancel] = withCancel(marked('request'));
  const client = await run(ctx, () => pool.connect());
  return {
    ctx,
    client,
    release: () => run(ctx, () => storage.run('request', () => client.release())),
    hangUp: () => cancel(new Error('hung up')),
  };
}

test('what waits for a client under no context outlives the request that releases it', async () => {
  const pool = db.open.pool({ max: 1 });
  const holder = await request(pool);
  const errors: unknown[] = [];
  const unlock = await db.server.lock(7);
  const query = pool.query('SELECT 1 AS n, pg_advisory_lock_shared(7) /* innocent */');
  const called = new Promise<unknown>((resolve) => {
    pool.query('SELECT 2 AS n', (error, answer) => {
      if (error as unknown) errors.push(error);
      resolve(answer?.rows);
    });
  });
  const connected = new Promise<unknown>((resolve) => {
    pool.connect((error, client, release) => {
      if (error !== undefined) errors.push(error);
      client?.query('SELECT 3 AS n', (failure, answer) => {
        if (failure as unknown) errors.push(failure);
        release();
        resolve(answer?.rows);
      });
    });
  });
  holder.release();
  await db.server.running('innocent');
  holder.hangUp();
  await unlock();
  expect((await query).rows).toMatchObject([{ n: 1 }]);
  expect(await called).toEqual([{ n: 2 }]);
  expect(await connected).toEqual([{ n: 3 }]);
  expect(errors).toEqual([]);
});

test('a pool query under no context is handed to its client under none, whoever released it', async () => {
  const notes = noting(() => [mark(), inRequest()]);
  const pool = db.open.pool({ max: 1, Client: notes.Client });
  const holder = await request(pool);
  const query = pool.query('SELECT 1');
  holder.release();
  await query;
  holder.hangUp();
  expect(notes.seen).toEqual([[undefined, false]]);
});

test('callbacks under no context keep to it, in the AsyncLocalStorage too', async () => {
  const pool = db.open.pool({ max: 1 });
  const holder = await request(pool);
  const seen: unknown[] = [];
  const note = (resolve: () => void) => {
    seen.push([mark(), storage.getStore()]);
    resolve();
  };
  const all = storage.run('boot', () => [
    new Promise<void>((resolve) => pool.query('SELECT 1', () => note(resolve))),
    new Promise<void>((resolve) => {
      pool.connect((_error, client, release) => {
        note(() => undefined);
        client?.query('SELECT 2', () => {
          release();
          note(resolve);
        });
      });
    }),
    new Promise<void>((resolve) => holder.client.query('SELECT 3', () => note(resolve))),
  ]);
  await all.at(-1);
  holder.release();
  await Promise.all(all);
  expect(seen).toEqual(Array.from({ length: 4 }, () => [undefined, 'boot']));
});

test('a query behind another on its client keeps to its own context, and ends with none but that', async () => {
  const pool = db.open.pool({ max: 1 });
  const holder = await request(pool);
  const [other] = withCancel(marked('other'));
  const first = rejection(run(holder.ctx, () => holder.client.query('SELECT pg_sleep(600) /* ahead */')));
  const plain = holder.client.query('SELECT 1 AS n');
  const second = run(other, () => holder.client.query('SELECT 2 AS n'));
  await db.server.running('ahead');
  holder.hangUp();
  expect(isCanceled(await first)).toBe(true);
  expect((await plain).rows).toEqual([{ n: 1 }]);
  expect((await second).rows).toEqual([{ n: 2 }]);
  holder.client.release();
});

test('what a pool does by itself belongs to no request: connections, timers, events', async () => {
  const events: string[] = [];
  const pool = db.open.pool({ max: 1, maxUses: 2, idleTimeoutMillis: 5 });
  for (const event of ['connect', 'acquire', 'release', 'remove'] as const) {
    pool.on(event as 'connect', () => events.push(`${event}${inRequest() ? ' in a request' : ''}`));
  }
  const holder = await request(pool);
  const waiting = pool.query('SELECT 1');
  holder.release();
  await waiting;
  // The second use was the last: whoever waits now is served by a connection that this release brings about.
  const second = await request(pool);
  const next = pool.query('SELECT 2');
  second.release();
  await next;
  holder.hangUp();
  second.hangUp();
  await until('the idle one is removed', () => pool.totalCount === 0);
  await until('and that was told', () => events.filter((event) => event === 'remove').length === 2);
  expect(events.filter((event) => event.includes('request'))).toEqual([]);
  expect(new Set(events)).toEqual(new Set(['connect', 'acquire', 'release', 'remove']));
});

test('a client of its own, connected in a request, tells its events to no request', async () => {
  const client = new pg.Client({ connectionString: db.postgres.connectionString });
  const [ctx, cancel] = withCancel(marked('request'));
  const seen: unknown[] = [];
  await run(
    ctx,
    () =>
      new Promise<void>((resolve) =>
        client.connect(() => {
          seen.push(mark(), inRequest());
          resolve();
        }),
      ),
  );
  cancel(new Error('hung up'));
  const notified = new Promise<void>((resolve) => {
    client.on('notification', () => {
      seen.push(inRequest());
      resolve();
    });
  });
  await context.with(ROOT_CONTEXT, () => client.query('LISTEN bell'));
  await db.server.client.query('NOTIFY bell');
  await notified;
  await client.end();
  expect(seen).toEqual(['request', true, false]);
});
