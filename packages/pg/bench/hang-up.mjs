// Measures what DESIGN.md budgets: from a client's hang-up to an idle PostgreSQL backend, on loopback.
//   npm run build && node packages/pg/bench/hang-up.mjs [rounds]
import { createServer, request } from 'node:http';
import { cpus } from 'node:os';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { context } from '@opentelemetry/api';
import { background, withCancel } from '@curfew/context';
import { adapterEvent, end } from '@curfew/context/spi';
import { instrumentPg } from '@curfew/pg';
import { startPostgres } from '@curfew/throwaway-postgres';
import pg from 'pg';

const rounds = Number(process.argv[2] ?? 300);
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
const postgres = await startPostgres();
const monitor = new pg.Client({ connectionString: postgres.connectionString, application_name: 'monitor' });
await monitor.connect();
const undo = instrumentPg(pg);
const pool = new pg.Pool({ connectionString: postgres.connectionString });
const active = `SELECT count(*)::int AS n FROM pg_stat_activity
  WHERE state = 'active' AND backend_type = 'client backend' AND application_name <> 'monitor'`;
const activeBackends = async () => (await monitor.query(active)).rows[0].n;

const durations = { told: [], settled: [], idle: [], floor: [] };
let hungUpAt = 0;
let settled;
const stop = adapterEvent('backend.cancel').listen(({ duration }) => durations.told.push(duration));
const server = createServer((_, response) => {
  const [ctx] = withCancel(background(), { name: 'http.server' });
  response.once('close', () => end(ctx, { origin: 'client_disconnect' }));
  context.with(ctx, () =>
    pool.query('SELECT pg_sleep(600)').catch(() => {
      durations.settled.push(performance.now() - hungUpAt);
      settled();
    }),
  );
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));

/** By hand: pg's own Client#cancel, from the call until the query rejects. */
async function byHand() {
  while ((await activeBackends()) > 0);
  const client = await pool.connect();
  const running = client.query('SELECT pg_sleep(600)').catch(() => undefined);
  while ((await activeBackends()) === 0);
  const start = performance.now();
  const { host, port } = postgres;
  const connection = new pg.Connection({});
  connection.on('error', () => undefined);
  connection.once('connect', () => connection.cancel(client.processID, client.secretKey));
  const closed = new Promise((resolve) => connection.once('end', resolve));
  connection.connect(port, host);
  await running;
  durations.floor.push(performance.now() - start);
  await closed;
  client.release();
}

async function hangUp() {
  // A session still counts as active for a moment after its query was answered: that one is not ours.
  while ((await activeBackends()) > 0);
  const done = new Promise((resolve) => (settled = resolve));
  const call = request({ port: server.address().port, host: '127.0.0.1' });
  call.on('error', () => undefined);
  call.end();
  while ((await activeBackends()) === 0);
  hungUpAt = performance.now();
  call.destroy();
  // The server's own word: asked again and again, so this includes half a round trip of asking on average.
  while ((await activeBackends()) > 0);
  durations.idle.push(performance.now() - hungUpAt);
  await done;
}

for (let i = 0; i < rounds; i++) {
  await byHand();
  await hangUp();
}

const at = (values, p) =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * p))];
const row = (what, values) => ({
  what,
  median: at(values, 0.5).toFixed(2),
  p95: at(values, 0.95).toFixed(2),
  n: values.length,
});
console.log(
  `Node ${process.version}, ${cpus()[0].model.trim()} × ${cpus().length}, ${new Date().toISOString().slice(0, 10)}; milliseconds`,
);
console.table([
  row('floor: CancelRequest by hand → query rejected', durations.floor),
  row('end of the context → query settled (hook)', durations.told),
  row('client hangs up → query settled', durations.settled),
  row('client hangs up → backend idle in pg_stat_activity', durations.idle),
]);
// Two counts of the same thing, from different sources: a cancel that nobody was told of is a mistake somewhere.
if (durations.told.length !== rounds) throw new Error(`${durations.told.length} cancels told of ${rounds}`);
const p95 = at(durations.idle, 0.95);
console.log(
  `budget: hang-up to idle backend ≤ 10 ms p95: ${p95 <= 10 ? 'kept' : 'MISSED'} (${p95.toFixed(2)} ms)`,
);

stop();
undo();
await pool.end();
await monitor.end();
server.close();
await postgres.stop();
