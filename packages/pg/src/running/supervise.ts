import { afterFunc, beginOperation, clock, endingOf } from '@curfew/context/spi';
import { context, ROOT_CONTEXT } from '@opentelemetry/api';
import { endOf, tellRefused, type Call } from '../call';
import { cancelInServer, type Cancelling } from '../cancelling/backend-cancel';
import { lostTo } from '../cancelling/lost-client';
import {
  destroyStream,
  isActive,
  isPlainQuery,
  takesErrors,
  unqueue,
  type DriverClient,
  type Submittable,
} from '../driver';
import type { PgOptions } from '../types';
import { markSupervised } from './caller';
import { endedError } from './ended-error';

/**
 * Follows a query from here until the server is done with it, by methods of its own over those that pg calls on
 * it. It is refused if its context ends before it is sent, and cancelled in the server after: in a turn of its own, so
 * that whoever reads `err()` and so notices a deadline does not run all this. To be called, with the context active,
 * before the query is handed to its client.
 *
 * @param spared Whether it is only followed, and goes on after the end of its context.
 */
export function supervise(
  call: Call,
  client: DriverClient,
  query: Submittable,
  spared: boolean,
  options: PgOptions,
): void {
  const { ctx, caller } = call;
  const { submit, handleError, handleReadyForQuery } = query;
  const operation =
    options.track === false ? undefined : beginOperation(ctx, { name: 'pg.query', kind: 'client' });
  let state: 'queued' | 'sent' | 'settled' = 'queued';
  let cancelling: Cancelling | undefined;
  let destroyed = false;

  const settle = (error: Error | undefined, deliver: () => void) => {
    const inContext = () => caller.runInAsyncScope(deliver);
    if (state === 'settled') {
      inContext();
      return;
    }
    state = 'settled';
    stop();
    operation?.settle();
    if (cancelling === undefined) inContext();
    else cancelling.settled(error, inContext);
  };

  const ended = () => {
    if (state === 'settled') return;
    const error = endOf(call);
    // It goes on where an error would reach nobody, and end the process.
    if (error === undefined || !takesErrors(client, query)) return;
    if (state === 'queued') {
      // Not in the queue: `submit` has refused it.
      if (unqueue(client, query)) query.handleError(error, client.connection);
      return;
    }
    // A pipeline has sent the queries of others behind it, and a cancel would hit whichever is running.
    if (client.pipeline === true) return;
    const at = endingOf(ctx)?.at ?? NaN;
    const endedAt = Number.isNaN(at) ? clock().now() : at;
    cancelling = cancelInServer(client, { call, endedAt, persistent: isPlainQuery(client, query) }, options);
    if (query.cursor === undefined) return;
    // A stream may be idle between two reads, where a cancel has no effect; to destroy it closes its cursor.
    destroyed = true;
    destroyStream(query, error);
  };

  query.submit = (connection) => {
    if (!spared) {
      // The clock may know of the end before any timer does.
      const error = endOf(call);
      if (error !== undefined && takesErrors(client, query)) {
        tellRefused();
        return error;
      }
    }
    state = 'sent';
    const failure = submit.call(query, connection);
    if (failure) state = 'queued';
    return failure;
  };
  query.handleError = (error, connection) => {
    // pg's `query_timeout` gives up on an answer that the server still works on.
    const abandoned = state === 'sent' && isActive(client, query);
    const by = cancelling?.caused(error) === true ? ctx : call.automatic ? lostTo(client) : undefined;
    const deliver = () => {
      if (!destroyed)
        handleError.call(query, by === undefined ? error : endedError(by, call.automatic, error), connection);
    };
    if (abandoned) caller.runInAsyncScope(deliver);
    else settle(error, deliver);
  };
  query.handleReadyForQuery = (connection) =>
    settle(undefined, () => handleReadyForQuery?.call(query, connection));
  markSupervised(query, caller);
  // What runs at the end (sockets, timers) belongs to no request, and must not keep one alive.
  const stop = spared ? () => false : context.with(ROOT_CONTEXT, () => afterFunc(ctx, ended));
}
