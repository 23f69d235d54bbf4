import { reasonOf, type Context } from '@curfew/context';
import { hooks } from '@curfew/context/spi';
import { checkout } from './checkout';
import { createQuery, type Callback, type DriverClient, type DriverPool, type Submittable } from './driver';
import { supervise } from './supervise';
import { endsTransaction } from './transaction-end';
import type { PgOptions } from './types';

/**
 * Hands a query to its client under supervision; refuses it where the context has ended. To be called with the
 * context active.
 *
 * @returns What `client.query` returns for such a query: the query.
 */
export function submit(ctx: Context, client: DriverClient, query: Submittable, options: PgOptions): unknown {
  const refused = endsTransaction(query.text) ? undefined : ctx.err();
  if (refused !== undefined) {
    hooks.callRefused?.({ source: 'postgresql' });
    process.nextTick(() => query.handleError(refused, client.connection));
    return query;
  }
  supervise(ctx, client, query, options);
  return client.query(query);
}

/** Runs one query on a client of a pool, as `pool.query` does. To be called with the context active. */
export function submitToPool(
  ctx: Context,
  pool: DriverPool,
  config: unknown,
  values: unknown,
  callback: Callback,
  options: PgOptions,
): void {
  checkout(ctx, pool, (failure, client) => {
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
      else submit(ctx, client, query, options);
    } catch (error) {
      finish(error);
    }
  });
}
