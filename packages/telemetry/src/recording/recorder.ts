import type { HookEvents } from '@curfew/context/spi';
import type { TellEvent } from '../spans/span-events';
import type { Exemplars } from '../figures/exemplars';
import { nameOfLive, removeLive, type Live } from '../figures/open-contexts';
import { createLost } from './lost-contexts';
import type { OpenWork } from '../operations/open-work';
import type { Origins } from '../warnings/stacks';
import type { OwnSpans } from '../spans/own-spans';
import type { AdapterListeners } from './adapter-events';
import { recordAdapters } from './record-adapters';
import { recordContexts } from './record-contexts';
import { recordOperations } from './record-operations';
import type { Reports } from '../warnings/reports';
import { steadyNow, type Steady } from '../figures/rising-clock';
import { add, type Store } from '../figures/store';
import type { Work } from '../operations/work';

export interface RecorderParts {
  readonly store: Store;
  readonly live: Live;
  readonly work: Work;
  readonly spans: OpenWork;
  readonly operations: OpenWork;
  readonly own: OwnSpans;
  readonly exemplars: Exemplars;
  readonly origins: Origins | undefined;
  readonly reports: Reports;
  readonly tell: TellEvent;
  readonly steady: Steady;
  onError(error: unknown): void;
  /** What is recorded only where asked for. */
  readonly optIn: { readonly lost: boolean; readonly cleanups: boolean; readonly durationByName: boolean };
}

export interface Recorder {
  readonly events: Partial<HookEvents>;
  readonly adapters: AdapterListeners;
  stop(): void;
}

/** Listens to the hooks and turns what they tell into figures. */
export function createRecorder(parts: RecorderParts): Recorder {
  const { store, live, spans, operations, origins, reports, steady, optIn } = parts;
  const lost = optIn.lost ? createLost(loseContext) : undefined;

  function loseContext(slot: number): void {
    add(store.numbers.lost, nameOfLive(live, slot), 1);
    reports.lost(slot, steadyNow(steady));
    removeLive(live, slot);
    operations.release(slot, undefined);
    spans.release(slot, undefined);
    origins?.drop(slot);
  }

  const { core, adapters } = recordAdapters({
    ...parts,
    cleanups: optIn.cleanups,
    onBrokenChain: (event) => reports.brokenChain(event),
  });
  return {
    events: {
      ...recordContexts({ ...parts, lost, durationByName: optIn.durationByName }),
      ...recordOperations(parts),
      ...core,
    },
    adapters,
    stop: () => lost?.stop(),
  };
}
