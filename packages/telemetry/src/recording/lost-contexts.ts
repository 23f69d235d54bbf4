import type { ContextNode } from '@curfew/context/spi';

/** Notices contexts that were garbage-collected without having ended. */
export interface Lost {
  watch(node: ContextNode, slot: number): void;
  /** The context in a slot has ended. */
  unwatch(slot: number): void;
  stop(): void;
}

/** What the registry hands back: the slot, and which of the contexts that had it in turn was meant. */
interface Ticket {
  readonly slot: number;
  readonly serial: number;
}

/** @param onLost Called with the slot of each; the slot is still taken. */
export function createLost(onLost: (slot: number) => void): Lost {
  /** The serial number of the context that has a slot now. */
  const serials: number[] = [];
  let last = 0;
  let stopped = false;
  const registry = new FinalizationRegistry<Ticket>(({ slot, serial }) => {
    if (stopped || serials[slot] !== serial) return;
    serials[slot] = 0;
    onLost(slot);
  });
  return {
    watch(node, slot) {
      serials[slot] = ++last;
      registry.register(node, { slot, serial: last });
    },
    // Not taken back from the registry, which would cost more than a ticket that nobody honours.
    unwatch(slot) {
      serials[slot] = 0;
    },
    stop() {
      stopped = true;
    },
  };
}
