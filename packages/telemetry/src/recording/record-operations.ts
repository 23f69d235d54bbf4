import type { HookEvents } from '@curfew/context/spi';
import { context, trace } from '@opentelemetry/api';
import { slotOf, type Live } from '../figures/open-contexts';
import type { OpenWork } from '../operations/open-work';
import type { Store } from '../figures/store';
import type { Running, Work } from '../operations/work';

/** What an operation carries: once nobody holds the operation, nobody holds this, and nobody can settle it. */
interface Ticket {
  /** The list of the telemetry that it belongs to: an operation may outlive an uninstall. */
  readonly open: OpenWork;
  readonly running: Running;
}

export interface OperationParts {
  readonly store: Store;
  readonly work: Work;
  readonly operations: OpenWork;
  readonly live: Live;
}

/** Records what `scope`, `run`, `track` and `group` start. */
export function recordOperations({
  store,
  work,
  operations,
  live,
}: OperationParts): Pick<HookEvents, 'operationBegun' | 'operationSettled'> {
  return {
    operationBegun(operation) {
      const { node } = operation;
      if (node === undefined) return;
      const running = work.begin(store.kinds.index(operation.kind), {
        node,
        name: operation.name,
        span: undefined,
        spanContext: trace.getSpanContext(context.active()),
      });
      const ticket: Ticket = { open: operations, running };
      running.ticket = ticket;
      operation.record = ticket;
      // Work that starts under a context which has ended is in flight from its own start.
      if (node.ending !== undefined) {
        const name = store.names.peek(node.name);
        work.contextEnded(running, { node, name, ending: node.ending });
      }
      operations.add(running, node, slotOf(live, node));
    },

    operationSettled(operation) {
      const ticket = operation.record as Ticket | undefined;
      if (ticket?.open !== operations) return;
      operation.record = undefined;
      operations.remove(ticket.running);
      work.settle(ticket.running);
    },
  };
}
