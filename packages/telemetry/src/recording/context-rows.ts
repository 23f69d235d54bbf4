import type { ContextNode } from '@curfew/context/spi';
import { clock, LONG_LIVED } from '../core';
import { repeated } from '../figures/labels';
import { addRow, freeRow, numberOf, type OpenContexts, type RowKeeper } from '../figures/open-contexts';
import type { Store } from '../figures/store';
import type { RunningWork } from '../operations/running';

/** Gives each context its row when it starts, and takes it back, with all that is kept by it, when it ends. */
export interface ContextRows {
  take(node: ContextNode, now: number): void;
  /** The context ended; it has no row where it began before this telemetry. */
  free(row: number, node: ContextNode): void;
  /** The context in the row is gone without having ended. */
  freeLost(row: number): void;
  /** The number of a name. */
  nameNumber(name: string | undefined): number;
}

export interface ContextRowParts {
  readonly store: Store;
  readonly open: OpenContexts;
  readonly running: RunningWork;
  readonly keepers: readonly RowKeeper[];
}

export function createContextRows({ store, open, running, keepers }: ContextRowParts): ContextRows {
  const nameNumber = repeated(store.names);

  function free(row: number): void {
    freeRow(open, row);
    for (const keeper of keepers) keeper.freed(row);
  }

  return {
    nameNumber,
    take(node, now) {
      const row = addRow(open, reading(now), nameNumber(node.name), (node.flags & LONG_LIVED) !== 0);
      node.slot = numberOf(open, row);
      for (const keeper of keepers) keeper.taken(row, node);
    },
    free(row, node) {
      node.slot = -1;
      running.release(row, node);
      if (row >= 0) free(row);
    },
    freeLost(row) {
      running.release(row, undefined);
      free(row);
    },
  };
}

/**
 * The time, unless the core has read it already. A life needs no more of it: where the clock
 * is set back, it lasted no time.
 */
export function reading(now: number): number {
  return Number.isNaN(now) ? clock().now() : now;
}
