import type { Context } from '@curfew/context';
import { from } from '@curfew/context/spi';
import { context, type Context as OtelContext } from '@opentelemetry/api';
import { callUnder } from './call';
import { createQuery, isPool, type Callback, type DriverClient } from './driver';
import { checkPgOptions } from './options';
import { checkout } from './running/checkout';
import { withCallersStack } from './running/ended-error';
import { queryPool } from './running/pool-query';
import { submit } from './running/submit';
import type { ClientOf, PgClient, PgOptions, PgPool, QueryAnswer, QueryInput } from './types';

/**
 * Runs a query under a context: when the context ends, the query is stopped in the server. A query whose context
 * has ended is not sent; one that waits for a connection, or behind another on its client, waits no longer. COMMIT,
 * ROLLBACK and their kin are neither refused nor stopped.
 *
 * The promise settles when the server is done with the query, a few milliseconds after the end of the context, and
 * at the latest when `options.grace` (5,000 ms) has passed; then the connection is given up. A query that finishes
 * before the cancel takes effect yields its result: what it did is done.
 *
 * @param ctx Any OpenTelemetry context; without a cancellation, the query runs as ever.
 * @param target A pool, or a client of pg.
 * @param config The text, or pg's `QueryConfig`.
 * @returns Rejects with the context's error (`isCanceled`, `isDeadlineExceeded`) if the context ended, otherwise
 *   with pg's own. Where the server stopped the query, the error is like the context's, and its `cause` is
 *   PostgreSQL's, code 57014.
 * @throws TypeError if `ctx` is no Context, `target` nothing of pg or an option of the wrong kind; RangeError if a
 *   time is negative or NaN.
 * @example
 * ```ts
 * const { rows } = await scope({ timeout: 300 }, (ctx) => query(ctx, pool, 'SELECT $1::int AS n', [42]));
 * ```
 */
export function query<Row = Record<string, unknown>>(
  ctx: OtelContext,
  target: PgClient | PgPool,
  config: string | QueryInput,
  values?: readonly unknown[],
  options: PgOptions = {},
): Promise<QueryAnswer<Row>> {
  const view = from(ctx);
  checkPgOptions(options);
  const driver: unknown = target;
  if (typeof (driver as DriverClient | null | undefined)?.query !== 'function') {
    throw new TypeError('target must be a Client or a Pool of pg');
  }
  return settled<QueryAnswer<Row>>(view, (callback) => {
    const call = callUnder(view, false);
    if (isPool(driver)) queryPool(call, driver, config, values, callback, options);
    else {
      const client = driver as DriverClient;
      const made = createQuery(client, config, values, callback);
      if (made === undefined) throw new TypeError('target must be a Client or a Pool of pg');
      submit(call, client, made, options, (it) => client.query(it));
    }
  });
}

/**
 * Checks a client out of a pool, and waits for one no longer than the context lives. Release it as ever.
 *
 * @returns Rejects with the context's error if it ends first; a client that arrives later goes back to the pool.
 * @throws TypeError if `ctx` is no Context or `pool` no pool of pg.
 * @example
 * ```ts
 * const client = await connect(ctx, pool);
 * try {
 *   await query(ctx, client, 'BEGIN');
 * } finally {
 *   client.release();
 * }
 * ```
 */
export function connect<Pool extends PgPool>(ctx: OtelContext, pool: Pool): Promise<ClientOf<Pool>> {
  const view = from(ctx);
  const driver: unknown = pool;
  if (!isPool(driver)) throw new TypeError('pool must be a Pool of pg');
  return settled<ClientOf<Pool>>(view, (callback) => checkout(callUnder(view, false), driver, callback));
}

function settled<T>(ctx: Context, start: (callback: Callback) => void): Promise<T> {
  const result = new Promise<T>((resolve, reject) => {
    context.with(ctx, start, undefined, (error: unknown, answer: unknown) => {
      if (error) reject(error);
      else resolve(answer as T);
    });
  });
  return withCallersStack(ctx, result);
}
