import type { HookEvents, Operation } from '@curfew/context/spi';
import { context, trace } from '@opentelemetry/api';
import type { Slots } from './slots';
import type { Store } from './store';
import type { Running, Work } from './work';

/** Finds the work that an operation is, by the number that it carries in its slot. */
export interface Operations {
  readonly events: Pick<HookEvents, 'operationBegun' | 'operationSettled'>;
  find(operation: Operation): Running | undefined;
}

export interface OperationParts {
  readonly store: Store;
  readonly work: Work;
  readonly slots: Slots;
}

/** Records what `scope`, `run`, `track` and `group` start. */
export function recordOperations({ store, work, slots }: OperationParts): Operations {
  const first = slots.operations;
  const running: (Running | undefined)[] = [];
  const freeSlots: number[] = [];
  return {
    find: ({ slot }) => running[slot - first],
    events: {
      operationBegun(operation) {
        const { node } = operation;
        if (node === undefined) return;
        const begun = work.begin(store.kinds.index(operation.kind), {
          node,
          name: operation.name,
          span: undefined,
          spanContext: trace.getSpanContext(context.active()),
        });
        const slot = freeSlots.pop() ?? running.length;
        running[slot] = begun;
        operation.slot = first + slot;
        slots.operations = Math.max(slots.operations, operation.slot + 1);
        // Work that starts under a context which has ended is in flight from its own start.
        if (node.ending !== undefined) {
          work.contextEnded(begun, {
            node,
            name: store.names.peek(node.name),
            ending: node.ending,
          });
        }
      },

      operationSettled(operation) {
        const slot = operation.slot - first;
        const settled = running[slot];
        if (settled === undefined) return;
        running[slot] = undefined;
        freeSlots.push(slot);
        operation.slot = -1;
        work.settle(settled);
      },
    },
  };
}
