import { clock, type HookEvents, type Operation } from '@curfew/context/spi';
import { context, trace } from '@opentelemetry/api';
import type { Labels } from './labels';
import type { Running, Work } from './work';

/** Finds the work that an operation is, by the number that it carries in its slot. */
export interface Operations {
  readonly events: Pick<HookEvents, 'operationBegun' | 'operationSettled'>;
  find(operation: Operation): Running | undefined;
}

/** Records what `scope`, `run`, `track` and `group` start. */
export function recordOperations(kinds: Labels, work: Work): Operations {
  const running: (Running | undefined)[] = [];
  const freeSlots: number[] = [];
  return {
    find: ({ slot }) => running[slot],
    events: {
      operationBegun(operation) {
        const begun = work.begin(kinds.index(operation.kind), {
          name: operation.name,
          span: undefined,
          spanContext: trace.getSpanContext(context.active()),
        });
        const slot = freeSlots.pop() ?? running.length;
        running[slot] = begun;
        operation.slot = slot;
        const { node } = operation;
        // Work that starts under a context which has ended is in flight from its own start.
        if (node.ending !== undefined) {
          work.contextEnded(begun, { node, ending: node.ending, at: clock().now() });
        }
      },

      operationSettled(operation) {
        const { slot } = operation;
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
