import type { HookEvents } from '@curfew/context/spi';
import type { Exemplars } from '../figures/exemplars';
import { nameOf, type OpenContexts } from '../figures/open-contexts';
import { risingNow, type RisingClock } from '../figures/rising-clock';
import { add, type Store } from '../figures/store';
import type { RunningWork } from '../operations/running';
import type { CurfewSpans } from '../spans/curfew-spans';
import type { TellEvent } from '../spans/span-events';
import type { Reports } from '../warnings/reports';
import type { Stacks } from '../warnings/stacks';
import type { AdapterListeners } from './adapter-events';
import { createContextRows } from './context-rows';
import { createLostContexts } from './lost-contexts';
import { recordAdapters } from './record-adapters';
import { createCancellations } from './record-cancellations';
import { recordContexts } from './record-contexts';
import { recordOperations } from './record-operations';

export interface RecorderParts {
  readonly store: Store;
  readonly open: OpenContexts;
  readonly running: RunningWork;
  readonly curfewSpans: CurfewSpans;
  readonly exemplars: Exemplars;
  readonly stacks: Stacks | undefined;
  readonly reports: Reports;
  readonly tell: TellEvent;
  readonly rising: RisingClock;
  onError(error: unknown): void;
  /** What is recorded only where asked for. */
  readonly optIn: { readonly lost: boolean; readonly cleanups: boolean; readonly durationByName: boolean };
}

export interface Recorder {
  /** What it hears of the core, and of adapters. */
  readonly core: Partial<HookEvents>;
  readonly adapters: AdapterListeners;
  stop(): void;
}

/** Listens to the hooks and turns what they tell into figures. */
export function createRecorder(parts: RecorderParts): Recorder {
  const { store, open, exemplars, stacks, reports, rising, optIn } = parts;
  const lostContexts = optIn.lost ? createLostContexts(recordLost) : undefined;
  const keepers = [stacks, lostContexts].filter((keeper) => keeper !== undefined);
  const rows = createContextRows({ ...parts, keepers });
  const cancellations = createCancellations(parts);

  function recordLost(row: number): void {
    add(store.numbers.lost, nameOf(open, row), 1);
    reports.lost(row, risingNow(rising));
    rows.freeLost(row);
  }

  const { core, adapters } = recordAdapters({
    store,
    exemplars,
    rising,
    cleanups: optIn.cleanups,
    onBrokenChain: (event) => reports.brokenChain(event),
  });
  return {
    core: {
      ...recordContexts({ ...parts, rows, cancellations, durationByName: optIn.durationByName }),
      ...recordOperations(parts),
      ...core,
    },
    adapters,
    stop: () => lostContexts?.stop(),
  };
}
