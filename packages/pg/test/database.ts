import { context } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { instrumentPg, type PgOptions } from '@curfew/pg';
import { startPostgres, type Postgres, type PostgresOptions } from '@curfew/throwaway-postgres';
import pg from 'pg';
import { monitor, opened, recordHooks, type Monitor } from './support';

/** What the tests of a file work with. Everything is there once the first of them begins. */
export interface Database {
  postgres: Postgres;
  server: Monitor;
  open: ReturnType<typeof opened>;
  /** Of the test that runs. */
  hooks: ReturnType<typeof recordHooks>;
}

/** A PostgreSQL for the tests of a file, and whoever watches it; every pool is ended after its test. */
export function database(options: PostgresOptions = {}): Database {
  const db = {} as Database;
  beforeAll(async () => {
    db.postgres = await startPostgres(options);
    db.server = await monitor(db.postgres.connectionString);
    db.open = opened({ connectionString: db.postgres.connectionString });
  });
  beforeEach(() => {
    db.hooks = recordHooks();
  });
  afterEach(async () => {
    db.hooks.stop();
    await db.open.end();
  });
  afterAll(async () => {
    await db.server.end();
    await db.postgres.stop();
  });
  return db;
}

/** The same, with a context manager, and pg covered. */
export function coveredDatabase(options: PgOptions = {}) {
  const db = Object.assign(database(), { undo: () => undefined as void });
  beforeAll(() => {
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    db.undo = instrumentPg(pg, options);
  });
  afterAll(() => {
    db.undo();
    context.disable();
  });
  return db;
}
