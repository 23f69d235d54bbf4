import { clock, MAX_DELAY } from '@curfew/context/spi';
import type { Call } from '../call';
import { hold, type DriverClient } from '../driver';
import { backendCancel, type BackendCancel } from '../events';
import type { PgOptions } from '../types';
import { requestCancel, type CancelRequest } from './cancel-request';
import { giveUpClient } from './lost-client';

const CANCEL_TIMEOUT = 2_000;
const GRACE = 5_000;

/**
 * Milliseconds until a cancel is sent again; doubled each time. One that overtakes its own query, or that a proxy
 * drops, has no effect at all.
 */
const FIRST_REPEAT = 50;

/** `query_canceled`: by a CancelRequest, `pg_cancel_backend` or `statement_timeout` alike. */
const QUERY_CANCELED = '57014';

/** The cancelling of one query in the server. */
export interface Cancelling {
  /** Whether this error is our own doing, and so the end of the context in other words. */
  caused(error: unknown): boolean;
  /** The query has settled. Calls `deliver` once no cancel is under way that could hit the next one. */
  settled(error: unknown, deliver: () => void): void;
}

/** Why a query is to stop, and of what sort it is. */
export interface EndedQuery {
  /** The call whose context ended. */
  readonly call: Call;
  /** Monotonic ms of its end. */
  readonly endedAt: number;
  /**
   * Whether the query ends by itself. A cursor does not: it may be idle, waiting to be read, where a cancel has no
   * effect and the connection is no worse for it.
   */
  readonly persistent: boolean;
}

/**
 * Makes the server stop the query that the client is waiting for. The client takes no other query until that one
 * has settled and the cancel's connection is closed. A query that has not settled within the grace costs the
 * client its connection.
 */
export function cancelInServer(client: DriverClient, query: EndedQuery, options: PgOptions): Cancelling {
  const { call, endedAt, persistent } = query;
  const letGo = hold(client);
  let request: CancelRequest | undefined;
  let repeat: NodeJS.Timeout | undefined;
  let wait = FIRST_REPEAT;
  let asked = false;
  let failures = 0;
  let doubtful = false;
  let gaveUp = false;
  let close: (() => void) | undefined;

  const send = () => {
    const sent = requestCancel(
      client,
      Math.min(options.cancelTimeout ?? CANCEL_TIMEOUT, MAX_DELAY),
      (delivery) => {
        request = undefined;
        if (sent.written) asked = true;
        if (delivery === 'doubtful') doubtful = true;
        if (close !== undefined) {
          close();
          return;
        }
        if (delivery === 'failed') failures++;
        if (!persistent || gaveUp) return;
        repeat = setTimeout(send, wait).unref();
        wait *= 2;
      },
    );
    request = sent;
  };

  const grace = persistent
    ? setTimeout(giveUp, Math.min(options.grace ?? GRACE, MAX_DELAY)).unref()
    : undefined;
  function giveUp(): void {
    gaveUp = true;
    clearTimeout(repeat);
    giveUpClient(client, call);
  }

  const caused = (error: unknown) =>
    gaveUp ||
    ((asked || request?.written === true) && (error as { code?: unknown })?.code === QUERY_CANCELED);

  const outcomeOf = (error: unknown): BackendCancel['outcome'] => {
    const reached = asked || request?.written === true;
    if (gaveUp) return reached ? 'timed_out' : 'failed';
    if (caused(error)) return 'canceled';
    return failures > 0 && !reached ? 'failed' : 'completed';
  };

  send();
  return {
    caused,
    settled(error, deliver) {
      clearTimeout(grace);
      clearTimeout(repeat);
      const duration = clock().now() - endedAt;
      backendCancel.tell?.({ system: 'postgresql', outcome: outcomeOf(error), duration, ctx: call.ctx });
      close = () => {
        // Sent, and nobody knows whether it has arrived: it may yet arrive, so this session is for nobody else.
        if (doubtful) giveUpClient(client, call);
        try {
          deliver();
        } finally {
          letGo();
        }
      };
      if (request === undefined) close();
      else request.withdraw();
    },
  };
}
