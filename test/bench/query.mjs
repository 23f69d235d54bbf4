// What Curfew adds to a query of pg: CPU of this process for `select 1` on a real PostgreSQL, over loopback. Copies of pg
// stand side by side in one process, so that those which are covered and those which are not meet the same machine; a
// second plain copy is the noise. usage: node test/bench/query.mjs [rounds] [queries a round] [--brief]
import { createRequire } from 'node:module';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { context, ROOT_CONTEXT, trace } from '@opentelemetry/api';
import { background, withCancel, withTimeout } from '@curfew/context';
import { instrumentPg, query } from '@curfew/pg';
import { install } from '@curfew/telemetry';
import { startPostgres } from '@curfew/throwaway-postgres';
import { AT_ONCE, brief, inTurns, machine, printRow } from './paired.mjs';

const [rounds = 11, queries = 2_500] = brief ? [1, 100] : process.argv.slice(2).map(Number);
const require = createRequire(import.meta.url);

/** A copy of pg with a pool of one connection: another would have the pool decide which is warm. */
async function copyOfPg(connectionString) {
  for (const file of Object.keys(require.cache)) {
    if (/[\\/]node_modules[\\/]pg(?:-\w+)?[\\/]/.test(file)) delete require.cache[file];
  }
  const pg = require('pg');
  const pool = new pg.Pool({ connectionString, max: 1, idleTimeoutMillis: 0 });
  // The server says that it goes to connections that the pool has let go of.
  pool.on('error', () => undefined);
  return { pg, pool };
}

context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
install();
const postgres = await startPostgres();
const [plain, again, covered] = [
  await copyOfPg(postgres.connectionString),
  await copyOfPg(postgres.connectionString),
  await copyOfPg(postgres.connectionString),
];
instrumentPg(covered.pg);
const all = [plain, again, covered];
for (const each of all) each.client = await each.pool.connect();

const [live] = withCancel(background(), { name: 'http.server' });
const [limited] = withTimeout(background(), 3_600_000, { name: 'http.server' });
const span = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), traceFlags: 1 };
const traced = trace.setSpanContext(ROOT_CONTEXT, span);

/** How a query is made of a copy of pg, and under what. */
const under = (ctx, copy) => (on) => context.with(ctx, () => copy[on].query('select 1'));
const explicitly = (ctx, copy) => (on) => query(ctx, copy[on], 'select 1');
const WAYS = {
  plain: under(ROOT_CONTEXT, plain),
  'plain, again': under(ROOT_CONTEXT, again),
  'covered, no context': under(ROOT_CONTEXT, covered),
  'plain, traced': under(traced, plain),
  'covered, traced, nothing to cancel': under(traced, covered),
  explicit: explicitly(live, plain),
  'explicit, with a deadline': explicitly(limited, plain),
  'covered, live context': under(live, covered),
  'covered, live context with a deadline': under(limited, covered),
};
const NAMES = Object.keys(WAYS);
const FLOORS = { 'covered, traced, nothing to cancel': 'plain, traced' };

console.log(machine());
console.log(`µs of CPU a query, medians of ${rounds} × ${queries}, ${AT_ONCE} of each way in turn\n`);
for (const on of ['client', 'pool']) {
  if (on === 'pool') for (const each of all) each.client.release();
  const ways = Object.fromEntries(NAMES.map((name) => [name, () => WAYS[name](on)]));
  const found = await inTurns(ways, rounds, queries);
  console.log(`| ${on}.query | µs | more than plain, median of rounds (quartiles) |\n|---|---|---|`);
  for (const name of NAMES) printRow(name, FLOORS[name] ?? 'plain', found);
  console.log();
}

for (const { pool } of all) await pool.end();
await postgres.stop();
