import { reasonOf } from '@curfew/context/spi';
import type { Call } from '../call';
import { createQuery, type Callback, type DriverPool } from '../driver';
import type { PgOptions } from '../types';
import { checkout } from './checkout';
import { submit } from './submit';

/** Runs one query on a client of a pool, as `pool.query` does. To be called with the context active. */
export function queryPool(
  call: Call,
  pool: DriverPool,
  config: unknown,
  values: unknown,
  callback: Callback,
  options: PgOptions,
): void {
  checkout(call, pool, (failure, client) => {
    if (failure !== undefined || client === undefined) {
      callback(failure);
      return;
    }
    let over = false;
    const finish: Callback = (error, result) => {
      if (over) return;
      over = true;
      client.removeListener('error', finish);
      // The pool drops the client of a query that failed. Where only the context ended, the connection is sound.
      client.release?.(reasonOf(error) === undefined ? error : undefined);
      // As pg-pool calls back: `null` is what the client says.
      callback(error ?? undefined, result);
    };
    client.once('error', finish);
    try {
      const query = createQuery(client, config, values, finish);
      if (query === undefined) client.query(config, values, finish);
      else submit(call, client, query, options, (it) => client.query(it));
    } catch (error) {
      finish(error);
    }
  });
}
