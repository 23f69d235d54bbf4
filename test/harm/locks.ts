import { Client } from 'pg';
import { lookInto } from '../integration/database';
import type { Upstream } from './upstream';

/** A database as upstream: a query waits for the lock under its key's number, which is held here. */
export async function startLocks(connectionString: string): Promise<Upstream> {
  const database = await lookInto(connectionString);
  const client = new Client({ connectionString });
  await client.connect();
  let taken = 0;
  let last: Promise<unknown> = Promise.resolve();
  /** One query at a time, as the driver of the database wants it. */
  const ask = (text: string, key: number) => (last = last.then(() => client.query(text, [key])));
  return {
    address: connectionString,
    async take() {
      const key = ++taken;
      await ask('select pg_advisory_lock($1)', key);
      return `k${key}`;
    },
    seen: (key) => database.seen(`/* ${key} */`),
    async release(key) {
      await ask('select pg_advisory_unlock($1)', Number(key.slice(1)));
    },
    async close() {
      await database.end();
      await client.end();
    },
  };
}
