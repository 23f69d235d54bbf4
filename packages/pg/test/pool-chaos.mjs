// Requests that hang up and miss deadlines share a pool with work that is none of theirs: jobs without a context,
// requests that live, callbacks, transactions, cursors, streams, the pool's own events. Whatever belongs to nobody who
// ended must neither fail nor meet a stranger's context.
//   npm run chaos:pool [-- ROUNDS [SEED]]
import { AsyncLocalStorage } from 'node:async_hooks';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { context, ROOT_CONTEXT } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { background, reasonOf, withCancel, withoutCancel, withTimeout, withValue } from '@curfew/context';
import { end, nodeOf, retire, subscribe, withLimit } from '@curfew/context/spi';
import { instrumentPg } from '@curfew/pg';
import { startPostgres } from '@curfew/throwaway-postgres';
import pg from 'pg';
import Cursor from 'pg-cursor';
import QueryStream from 'pg-query-stream';

const rounds = Number(process.argv[2] ?? 20_000);
const seed = Number(process.argv[3] ?? Date.now() % 1_000_000);
const SIZES = [1, 2, 4, 10];

let state = seed || 1;
const random = () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
const below = (limit) => Math.floor(random() * limit);
const oneOf = (choices) => choices[below(choices.length)];

const MARK = Symbol.for('chaos.mark');
const storage = new AsyncLocalStorage();
const tally = { rounds: 0, innocents: 0, guilty: 0, cancelled: 0, refused: 0, waited: 0, events: 0 };
const failures = [];
const failed = (what, error) => failures.push(`${what}: ${error?.stack ?? error}`);

context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
instrumentPg(pg);
subscribe({ callRefused: () => tally.refused++ });
process.on('unhandledRejection', (error) => failed('nobody handled', error));
const postgres = await startPostgres();

/** Fails where the code that runs now meets another context, or another AsyncLocalStorage, than its own. */
function mine(tag) {
  const seen = [context.active().getValue(MARK), storage.getStore()];
  if (seen[0] !== tag || seen[1] !== tag) throw new Error(`${tag} runs as ${seen.map(String)}`);
}

const check = (tag, rows) => {
  mine(tag);
  if (rows[0]?.tag !== tag) throw new Error(`${tag} got ${JSON.stringify(rows)}`);
};
const slow = (tag) => [`SELECT $1::text AS tag FROM pg_sleep(${below(8) / 1_000})`, [tag]];
const many = (tag) => [`SELECT $1::text AS tag, g FROM generate_series(1, ${100 + below(400)}) g`, [tag]];

/** The ways in which a service uses its pool. Each resolves when it is done with its client. */
const uses = {
  async query(pool, tag) {
    const { rows } = await pool.query(...slow(tag));
    check(tag, rows);
  },
  callback: (pool, tag) =>
    new Promise((resolve, reject) => {
      pool.query(...slow(tag), (error, answer) => {
        try {
          mine(tag);
          if (error) reject(error);
          else resolve(check(tag, answer.rows));
        } catch (wrong) {
          reject(wrong);
        }
      });
    }),
  connectCallback: (pool, tag) =>
    new Promise((resolve, reject) => {
      pool.connect((error, client, release) => {
        if (error) return reject(error);
        client.query(...slow(tag), (failure, answer) => {
          release(failure && reasonOf(failure) === undefined ? failure : undefined);
          try {
            mine(tag);
            if (failure) reject(failure);
            else resolve(check(tag, answer.rows));
          } catch (wrong) {
            reject(wrong);
          }
        });
      });
    }),
  async transaction(pool, tag) {
    const client = await pool.connect();
    try {
      await client.query('BEGIN');
      await Promise.all([client.query('INSERT INTO log VALUES ($1)', [tag]), client.query(...slow(tag))]);
      await client.query('COMMIT');
      mine(tag);
    } catch (error) {
      await client.query('ROLLBACK');
      throw error;
    } finally {
      client.release();
    }
  },
  async cursor(pool, tag) {
    const client = await pool.connect();
    try {
      const cursor = client.query(new Cursor(...many(tag)));
      try {
        for (let rows = await cursor.read(50); rows.length > 0; rows = await cursor.read(50))
          check(tag, rows);
      } finally {
        await cursor.close();
      }
    } finally {
      client.release();
    }
  },
  async iterated(pool, tag) {
    const client = await pool.connect();
    try {
      for await (const row of client.query(new QueryStream(...many(tag)))) check(tag, [row]);
    } finally {
      client.release();
    }
  },
  async pipelined(pool, tag) {
    const client = await pool.connect();
    try {
      await pipeline(client.query(new QueryStream(...many(tag), { batchSize: 20 })), sink());
    } finally {
      client.release();
    }
  },
  /** As the README of pg-query-stream shows: nobody listens for errors, and the client comes back at the end. */
  piped: (pool, tag) =>
    new Promise((resolve, reject) => {
      pool.connect((error, client, done) => {
        if (error) return reject(error);
        const stream = client.query(new QueryStream(...many(tag)));
        stream.on('end', done);
        stream.pipe(sink()).on('finish', resolve);
      });
    }),
};

function sink() {
  return new Writable({ objectMode: true, write: (_row, _encoding, next) => void setImmediate(next) });
}

/** A request that ends by itself at some moment, most often in the middle. */
function guilty() {
  const limit = 1 + below(40);
  const gone = new Error('the client hung up');
  const [ctx] =
    random() < 0.5 ? withCancel(background()) : oneOf([withLimit, withTimeout])(background(), limit);
  const timer = setTimeout(
    () => end(ctx, { origin: 'client_disconnect', cause: gone, automatic: true }),
    below(50),
  );
  return [ctx, () => (clearTimeout(timer), retire(ctx))];
}

/** No context at all, one that was detached from a request which has ended, and requests that live. */
function innocent() {
  const [ended, cancel] = withCancel(background());
  cancel(gone);
  const [live] = withTimeout(background(), 600_000);
  return [oneOf([ROOT_CONTEXT, ROOT_CONTEXT, withoutCancel(ended), live]), () => retire(live)];
}
const gone = new Error('long gone');

async function round(pool, number) {
  const isGuilty = random() < 0.55;
  const use = oneOf(Object.keys(uses));
  const tag = `${isGuilty ? 'guilty' : 'innocent'} ${use} ${number}`;
  const [ctx, release] = isGuilty ? guilty() : innocent();
  tally.rounds++;
  tally[isGuilty ? 'guilty' : 'innocents']++;
  if (!isGuilty && pool.idleCount === 0 && pool.totalCount === pool.options.max) tally.waited++;
  try {
    await context.with(withValue(ctx, MARK, tag), () => storage.run(tag, () => uses[use](pool, tag)));
  } catch (error) {
    if (!isGuilty || reasonOf(error) === undefined) failed(tag, error);
    else tally.cancelled++;
  } finally {
    release();
  }
}

/** What services do in the events of a pool, for the good of whoever uses the connection next. */
function listen(pool) {
  const set = (client, name) =>
    client.query(`SET application_name = '${name}'`).catch((error) => {
      // The pool drops a client that is used up without a look at what it is doing.
      if (!client._ending) failed(name, error);
    });
  for (const event of ['connect', 'acquire', 'release', 'remove']) {
    pool.on(event, (client) => {
      tally.events++;
      if (nodeOf(context.active()) !== undefined) failed(`on ${event}`, new Error('in a request'));
      if (event === 'connect' || (event === 'acquire' && random() < 0.1)) set(client, event);
    });
  }
  pool.on('error', (error) => failed('on error', error));
}

async function share(max, count) {
  const pool = new pg.Pool({
    connectionString: postgres.connectionString,
    max,
    maxUses: 40,
    idleTimeoutMillis: 20,
    connectionTimeoutMillis: 60_000,
  });
  listen(pool);
  let left = count;
  // A cron's timer is armed before any request, and ticks among all of them.
  const tick = () => uses.query(pool, 'cron').catch((error) => failed('cron', error));
  const cron = context.with(withValue(background(), MARK, 'cron'), () =>
    storage.run('cron', () => setInterval(tick, 10)),
  );
  const actor = async () => {
    while (left-- > 0 && failures.length < 20) {
      await round(pool, count - left);
      if (random() < 0.02) await new Promise((resolve) => setTimeout(resolve, 30));
    }
  };
  await Promise.all(Array.from({ length: 3 * max + 3 }, actor));
  clearInterval(cron);
  await pool.end();
  // The pool does not wait for its sessions: none may be left, neither working nor idle.
  const sessions = `SELECT count(*)::int AS n FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`;
  const limit = Date.now() + 10_000;
  while ((await monitor.query(sessions)).rows[0].n > 0) {
    if (Date.now() > limit) return failed(`max ${max}`, new Error('sessions are left'));
  }
}

const started = performance.now();
const monitor = new pg.Client({ connectionString: postgres.connectionString });
await monitor.connect();
await monitor.query('CREATE TABLE log (tag text)');
for (const max of SIZES) await share(max, Math.ceil(rounds / SIZES.length));
await monitor.end();
await postgres.stop();

const seconds = Number(((performance.now() - started) / 1_000).toFixed(1));
console.log(JSON.stringify({ seed, ...tally, failures: failures.length, seconds }));
for (const failure of failures.slice(0, 5)) console.error(failure);
process.exitCode = failures.length === 0 ? 0 : 1;
