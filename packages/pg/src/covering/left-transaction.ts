import { context } from '@opentelemetry/api';
import { endingOf } from '@curfew/context/spi';
import { isAtRest, type DriverClient } from '../driver';

const STATUS = Symbol('curfew.pg.transaction-status');

type Noting = DriverClient & { [STATUS]?: string | undefined };

/** Notes whether the server is in a transaction now, for a pg that does not keep it. */
export function noteStatus(client: DriverClient, message: { readonly status?: string } | undefined): void {
  (client as Noting)[STATUS] = message?.status;
}

/**
 * Whether a client that is released now is left in a transaction by a holder whose context has ended: what we cut off
 * may have kept it from its COMMIT, and many programs have no ROLLBACK for that, since it never failed before. The
 * next borrower would work in that transaction, which fails everything, or which nobody commits.
 */
export function isLeftInTransaction(client: DriverClient): boolean {
  const status = client._txStatus ?? (client as Noting)[STATUS];
  if (status !== 'T' && status !== 'E') return false;
  // A ROLLBACK that nobody waits for is on its way.
  return endingOf(context.active())?.reason !== undefined && isAtRest(client);
}
