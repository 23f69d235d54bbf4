import { Client } from 'pg';

/** A look at what PostgreSQL is doing, over a connection of its own. */
export interface Activity {
  /** The text of each query that runs now, its own left out. Rejects where PostgreSQL does not answer. */
  running(): Promise<string[]>;
  end(): Promise<void>;
}

const RUNNING = `
  select query from pg_stat_activity
  where state = 'active' and pid <> pg_backend_pid() and backend_type = 'client backend'
    and datname = current_database()`;

export async function watchActivity(connectionString: string): Promise<Activity> {
  const client = new Client({ connectionString, application_name: 'demo', query_timeout: 2_000 });
  // A server that goes away is seen by the next look, and is no reason to stop.
  client.on('error', () => {});
  await client.connect();
  return {
    async running() {
      const { rows } = await client.query<{ query: string }>(RUNNING);
      return rows.map((row) => row.query);
    },
    end: () => client.end().catch(() => {}),
  };
}
