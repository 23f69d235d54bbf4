import { reasonOf } from '@curfew/context';
import { automaticError } from '@curfew/context/spi';
import { refusalOf, tellRefused, type Call } from '../call';
import { checkout } from './checkout';
import {
  createQuery,
  takesErrors,
  type Callback,
  type DriverClient,
  type DriverPool,
  type Submittable,
} from '../driver';
import { lostTo } from '../cancelling/lost-client';
import { supervise } from './supervise';
import { cleansUp, endsTransaction } from './transaction-end';
import type { PgOptions } from '../types';

/**
 * Hands a query to its client under supervision; refuses it where the context has ended, and whatever it is where the
 * call is the one that has cost the client its connection. To be called with the context active.
 *
 * @returns What `client.query` returns for such a query: the query.
 */
export function submit(call: Call, client: DriverClient, query: Submittable, options: PgOptions): unknown {
  if (call === lostTo(client) && takesErrors(client, query)) {
    setImmediate(() => query.handleError(automaticError(call.ctx), client.connection));
    return query;
  }
  let spared = call.automatic ? cleansUp(query.text) : endsTransaction(query.text);
  if (!spared && call.ctx.err() !== undefined) {
    const refused = refusalOf(call);
    if (refused === undefined) spared = true;
    else if (takesErrors(client, query)) {
      tellRefused();
      setImmediate(() => query.handleError(refused, client.connection));
      return query;
    }
    // Nobody listens yet, because the caller of a stream has it only when this returns: it ends in a turn to come.
  }
  supervise(call, client, query, spared, options);
  return client.query(query);
}

/** Runs one query on a client of a pool, as `pool.query` does. To be called with the context active. */
export function submitToPool(
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
      else submit(call, client, query, options);
    } catch (error) {
      finish(error);
    }
  });
}
