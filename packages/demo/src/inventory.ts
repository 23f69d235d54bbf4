import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { isCanceled, isDeadlineExceeded } from '@curfew/context';
import { Pool } from 'pg';
import { lineFor } from './fault';
import { live, numberFrom } from './lifeline';
import { listen } from './listen';
import { isId, queryNumber } from './query-number';

/**
 * The third service: node:http and PostgreSQL, no framework. Nothing in it knows of cancellation. A query runs under
 * the context of the request that asked for it, and stops in the server when that ends.
 */
const pool = new Pool({ connectionString: process.env.DATABASE_URL, max: 40 });

// PostgreSQL that goes away fails the queries, which say so themselves; idle connections have nobody to tell.
pool.on('error', () => {});

async function prepare(): Promise<void> {
  await pool.query('create table if not exists stock (sku integer primary key, on_hand integer not null)');
  await pool.query(
    'insert into stock select n, 100 + n from generate_series(0, 99) as n on conflict (sku) do nothing',
  );
}

async function stockOf(id: string, sleep: number): Promise<number> {
  // The comment tells the rows of pg_stat_activity apart; `id` is digits, checked by the caller.
  const { rows } = await pool.query<{ on_hand: number }>(
    `/* order ${id} */ select on_hand, pg_sleep($2) from stock where sku = $1`,
    [Number(id) % 100, sleep],
  );
  return rows[0]?.on_hand ?? 0;
}

async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://inventory');
  if (pathname === '/healthz') return answer(response, 200, { ok: true });
  const id = /^\/stock\/([^/]+)$/.exec(pathname)?.[1];
  if (id === undefined || request.method !== 'GET') return answer(response, 404, { error: 'not found' });
  const sleep = queryNumber(searchParams.get('sleep'), 0, 30);
  if (!isId(id) || sleep === undefined) {
    return answer(response, 400, { error: 'the id takes up to 9 digits, sleep 0 to 30 seconds' });
  }
  try {
    answer(response, 200, { id, onHand: await stockOf(id, sleep) });
  } catch (error) {
    if (isDeadlineExceeded(error)) answer(response, 504, { error: 'deadline exceeded' });
    // A client that has gone reads no answer.
    else if (!isCanceled(error)) answer(response, 503, { error: lineFor(error) });
  }
}

function answer(response: ServerResponse, status: number, body: object): void {
  // At its deadline the request was answered already.
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

void live(async () => {
  await prepare();
  const begun = await listen(
    createServer((request, response) => void handle(request, response)),
    numberFrom('PORT', 8082),
  );
  return {
    address: begun.address,
    async end() {
      await begun.end();
      await pool.end();
    },
  };
});
