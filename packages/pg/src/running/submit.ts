import { automaticError } from '@curfew/context/spi';
import { refusalOf, tellRefused, type Call } from '../call';
import { lostTo } from '../cancelling/lost-client';
import { takesErrors, type DriverClient, type Submittable } from '../driver';
import type { PgOptions } from '../types';
import { supervise } from './supervise';
import { cleansUp, endsTransaction } from './transaction-end';

/**
 * Hands a query to its client under supervision; refuses it where the context has ended, and whatever it is where the
 * call is the one that has cost the client its connection. To be called with the context active.
 *
 * @param hand Gives the client its query. Whoever goes over `client.query` gives pg's own, or whoever goes over it in
 *   turn, such as an instrumentation, would see the query twice.
 * @returns What `client.query` returns for such a query: the query.
 */
export function submit(
  call: Call,
  client: DriverClient,
  query: Submittable,
  options: PgOptions,
  hand: (query: Submittable) => unknown,
): unknown {
  if (call.automatic && call.ctx === lostTo(client) && takesErrors(client, query)) {
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
  return hand(query);
}
