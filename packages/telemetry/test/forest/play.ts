import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Context } from '@curfew/context';
import { end } from '@curfew/context/spi';
import { install, type Telemetry } from '@curfew/telemetry';
import { context } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { BasicTracerProvider } from '@opentelemetry/sdk-trace-base';
import { useManualClock } from '../../../../test/manual-clock';
import { growForest, type ForestOptions } from './forest';
import { createModel } from './model';
import { createPerformer, isLater } from './performer';
import { createRandom } from './random';
import { createTally, type Samples } from './tally';
import type { Seen } from './tree';

export interface PlayOptions extends Omit<ForestOptions, 'random'> {
  readonly seed: number;
  readonly maxNames: number;
  readonly durationByName: boolean;
}

/** One seeded run, carried out by Curfew and by the model side by side. */
export interface Play {
  readonly telemetry: Telemetry;
  readonly seen: Seen;
  /** Carries acts out until this share of the run is over, from 0 to 1. */
  goOn(share: number): Promise<void>;
  /** What the tally holds, with what is known from the start. */
  tallied(): Samples;
  /** Ends everything and puts the process back as it was. */
  close(): Promise<void>;
}

/** Milliseconds. */
const AGES = { orphanGrace: 1000, lingerAfter: 60_000 };
/** How many kinds and sources are kept apart by default. */
const CAPS = { kind: 10, source: 12 };

const { version } = JSON.parse(readFileSync(join(__dirname, '../../package.json'), 'utf8')) as {
  version: string;
};

export function startPlay({ seed, maxNames, durationByName, ...options }: PlayOptions): Play {
  const { clock, restore } = useManualClock();
  const installedAt = clock.wallNow();
  const telemetry = install({ ...AGES, maxNames, durationByName, cleanups: true });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  const provider = new BasicTracerProvider({ spanProcessors: [telemetry.spanProcessor] });
  const perform = createPerformer(clock, provider.getTracer('forest'));
  const tally = createTally({ ...CAPS, name: maxNames });
  const model = createModel({ ...AGES, tally, now: clock.now(), durationByName });
  const acts = growForest(model, { ...options, random: createRandom(seed) });
  return {
    telemetry,
    seen: model.seen,
    async goOn(share) {
      while (model.started < share * options.contexts) {
        const { done, value: act } = acts.next();
        if (done === true || act === undefined) break;
        model.apply(act);
        perform(act);
        if (isLater(act)) await turn();
      }
      if (model.now !== clock.now()) throw new Error(`it is ${clock.now()}, and by the model ${model.now}`);
    },
    tallied() {
      const samples = new Map(model.samples());
      samples.set('curfew.process.start.time{}', installedAt / 1000);
      samples.set(`curfew.build.info{curfew_version=${JSON.stringify(version)}}`, 1);
      return samples;
    },
    async close() {
      perform({ do: 'enforce', on: true });
      // Deadlines left behind would pass on the clock of the next run.
      for (const { handle } of model.live) end((handle as { ctx: Context }).ctx, { origin: 'shutdown' });
      await provider.shutdown();
      context.disable();
      telemetry.uninstall();
      restore();
    },
  };
}

/** Lets all microtasks run. */
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
