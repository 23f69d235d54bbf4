import { spawn } from 'node:child_process';
import { startPostgres, type Postgres } from '@curfew/throwaway-postgres';

let postgres: Postgres;
beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres.stop());

/** A service whose request hangs up while its query runs; once that is over, it says that it lives, and ends by itself. */
const service = (work: string) => `
  const { context } = require('@opentelemetry/api');
  const { AsyncLocalStorageContextManager } = require('@opentelemetry/context-async-hooks');
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  const { background, withCancel } = require('@curfew/context');
  const { end } = require('@curfew/context/spi');
  require('@curfew/pg').instrumentPg();
  const { Pool } = require('pg');
  const pool = new Pool({ connectionString: ${JSON.stringify(postgres.connectionString)}, max: 2 });
  const RUNNING = "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()";
  const until = async (count) => { while ((await pool.query(RUNNING)).rowCount !== count); };
  const [ctx] = withCancel(background());
  pool.query('SELECT 1').then(async () => {
    context.with(ctx, async () => { ${work} });
    await until(1);
    end(ctx, { origin: 'client_disconnect', automatic: true });
    await until(0);
    console.log('alive', (await pool.query('SELECT 1 AS n')).rows[0].n);
    await pool.end();
  });`;

test.each([
  ['an async handler that does not catch', `await pool.query('SELECT pg_sleep(600)');`],
  ['a query that nobody awaits', `void pool.query('SELECT pg_sleep(600)');`],
  [
    'a client that is released in a finally',
    `const client = await pool.connect();
     try { await client.query('SELECT pg_sleep(600)'); } finally { await client.query('ROLLBACK'); client.release(); }`,
  ],
  [
    'a Query to whose errors nobody listens',
    `const client = await pool.connect(); const { Query } = require('pg');
     client.query(new Query('SELECT pg_sleep(2)')).on('end', () => client.release());`,
  ],
])('%s does not end the process', async (_, work) => {
  const child = spawn(process.execPath, ['-e', service(work)], { cwd: __dirname });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (said += text));
  const code = await new Promise((resolve) => child.once('close', resolve));
  expect(said).toContain('alive 1\n');
  expect({ code, said }).toMatchObject({ code: 0 });
});
