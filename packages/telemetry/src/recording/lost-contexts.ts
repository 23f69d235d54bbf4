import type { RowKeeper } from '../figures/open-contexts';

/** Notices contexts that were garbage-collected without having ended. */
export interface LostContexts extends RowKeeper {
  stop(): void;
}

/** What the registry hands back: the row, and which of the contexts that had it in turn was meant. */
interface Ticket {
  readonly row: number;
  readonly serial: number;
}

/** @param onLost Called with the row of each, which is still taken. */
export function createLostContexts(onLost: (row: number) => void): LostContexts {
  /** The serial number of the context that has a row now. */
  const serials: number[] = [];
  let last = 0;
  let stopped = false;
  const registry = new FinalizationRegistry<Ticket>(({ row, serial }) => {
    if (stopped || serials[row] !== serial) return;
    serials[row] = 0;
    onLost(row);
  });
  return {
    taken(row, node) {
      serials[row] = ++last;
      registry.register(node, { row, serial: last });
    },
    // Not taken back from the registry, which would cost more than a ticket that nobody honours.
    freed(row) {
      serials[row] = 0;
    },
    stop() {
      stopped = true;
    },
  };
}
