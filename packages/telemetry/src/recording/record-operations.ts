import type { HookEvents } from '@curfew/context/spi';
import { context, trace } from '@opentelemetry/api';
import { rowOf, type OpenContexts } from '../figures/open-contexts';
import type { Store } from '../figures/store';
import type { RunningWork } from '../operations/running';

export interface OperationParts {
  readonly store: Store;
  readonly running: RunningWork;
  readonly open: OpenContexts;
}

/** Records what `scope`, `run`, `track` and `group` start. */
export function recordOperations({
  store,
  running,
  open,
}: OperationParts): Pick<HookEvents, 'operationBegun' | 'operationSettled'> {
  return {
    operationBegun(operation) {
      const { node, name, kind } = operation;
      if (node === undefined) return;
      operation.record = running.beginOperation(name, trace.getSpanContext(context.active()), {
        kind: store.kinds.index(kind),
        node,
        row: rowOf(open, node),
      });
    },

    operationSettled: (operation) => running.settleOperation(operation.record),
  };
}
