import { checkLimit, checkOptions, from } from '@curfew/context/spi';
import type { Context as OtelContext } from '@opentelemetry/api';
import { query } from './query';
import type { PgClient } from './types';

/** The longest that PostgreSQL takes, 2^31-1 ms. */
const MAX_TIMEOUT = 2_147_483_647;

/**
 * Tells the server the deadline too, for the rest of a transaction: its `statement_timeout` becomes what is left of
 * the context's budget, plus a margin. It counts where a cancel cannot arrive, because this process or the network
 * has died. It costs one round trip, which is why nobody calls it for you. Without a deadline it does nothing, and
 * outside a transaction it has no effect.
 *
 * @param options.margin Milliseconds by which the server is later than our own cancel: 1,000 unless given.
 * @returns Rejects with a TypeError or a RangeError if the margin is no number of milliseconds.
 * @example
 * ```ts
 * await query(ctx, client, 'BEGIN');
 * await backstop(ctx, client);
 * ```
 */
export async function backstop(
  ctx: OtelContext,
  client: PgClient,
  options: { readonly margin?: number } = {},
): Promise<void> {
  checkOptions(options, 'options');
  checkLimit(options.margin, 'options.margin');
  const remaining = from(ctx).remaining();
  if (remaining === Infinity) return;
  const timeout = Math.min(Math.ceil(remaining + (options.margin ?? 1_000)), MAX_TIMEOUT);
  await query(ctx, client, "SELECT set_config('statement_timeout', $1, true)", [String(timeout)]);
}
