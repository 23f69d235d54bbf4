import { clock, hookErrors, subscribe } from '@curfew/context/spi';
import { diag } from '@opentelemetry/api';
import { callApplication } from './application-call';
import { collect, snapshotOf, type Family, type Snapshot } from './exits/collect';
import { createProducer, type CurfewMetricProducer, type ProducerOptions } from './exits/producer';
import { createExemplars } from './figures/exemplars';
import { createOpenContexts, nextNumber } from './figures/open-contexts';
import { createRisingClock } from './figures/rising-clock';
import { createStore } from './figures/store';
import { createLogEmitter } from './log-emitter';
import { createOrphans } from './operations/orphans';
import { createRunning } from './operations/running';
import { checkTelemetryOptions, type TelemetryOptions, type TelemetrySettings } from './options';
import { listenToAdapters } from './recording/adapter-events';
import { createProcessor, type CurfewSpanProcessor } from './recording/processor';
import { createRecorder } from './recording/recorder';
import { createCurfewSpans } from './spans/curfew-spans';
import { createEventTeller } from './spans/span-events';
import { VERSION } from './version';
import { watchLingering } from './warnings/lingering';
import { createReports } from './warnings/reports';
import { createStacks } from './warnings/stacks';
import { createWarnings } from './warnings/warnings';

/** The figures of this process, and the ways to them. */
export interface Telemetry {
  /** For the tracer provider of either SDK line; its place among other processors does not matter. */
  readonly spanProcessor: CurfewSpanProcessor;
  /** A producer of all families for one metric reader. */
  producer(options?: ProducerOptions): CurfewMetricProducer;
  /** All families at this moment, by instrument name. */
  snapshot(): Snapshot;
  /** All families at this moment, for a way out of its own, such as prom-client's registry. */
  families(): readonly Family[];
  /** Keeps exemplars from now on, for a way out that can carry them: OpenTelemetry's exporters cannot. */
  keepExemplars(): void;
  /** Stops listening and drops all timers. Figures collected so far stay readable. */
  uninstall(): void;
}

/** What all copies of this package in a process share. */
interface Installation {
  telemetry: Telemetry | undefined;
  /** The first of the numbers that contexts carry which no telemetry of this process has given out. */
  nextNumber: number;
}

const INSTALLATION = Symbol.for('@curfew/telemetry.installation.v1');

function installation(): Installation {
  const globals = globalThis as { [INSTALLATION]?: Installation };
  return (globals[INSTALLATION] ??= { telemetry: undefined, nextNumber: 0 });
}

/** The telemetry of this process, if it is installed. */
export function installed(): Telemetry | undefined {
  return installation().telemetry;
}

/**
 * Starts to record every context of this process. There is one telemetry a process: a second call returns the
 * first one's, and says so once.
 *
 * @throws TypeError or RangeError naming the option that is wrong.
 * @example
 * ```ts
 * import { background, withCancel } from '@curfew/context';
 * import { install } from '@curfew/telemetry';
 * const telemetry = install({ orphanGrace: 500 });
 * const [, cancel] = withCancel(background(), { name: 'search' });
 * cancel(new Error('user left'));
 * telemetry.snapshot().get('curfew.context.cancellations')?.points.length; // => 1
 * telemetry.uninstall();
 * ```
 */
export function install(options: TelemetryOptions = {}): Telemetry {
  const settings = checkTelemetryOptions(options);
  const shared = installation();
  if (shared.telemetry !== undefined) {
    diag.warn('@curfew/telemetry is installed already; the options of the second call are not used.');
    return shared.telemetry;
  }
  const telemetry = create(settings, shared.nextNumber, (nextNumber) => {
    shared.telemetry = undefined;
    shared.nextNumber = nextNumber;
  });
  shared.telemetry = telemetry;
  return telemetry;
}

/** @param onUninstall Told the first number that it has given to no context. */
function create(
  settings: TelemetrySettings,
  firstNumber: number,
  onUninstall: (nextNumber: number) => void,
): Telemetry {
  const installedAt = clock().wallNow();
  const { lingerAfter, orphanGrace, orphanReportAfter } = settings;
  const store = createStore({ ...settings, version: VERSION });
  const open = createOpenContexts(firstNumber);
  const rising = createRisingClock();
  const curfewSpans = createCurfewSpans(VERSION);
  const exemplars = createExemplars();
  const stacks = createStacks(settings.captureStacks);
  const emit = createLogEmitter({ loggerProvider: settings.loggerProvider, version: VERSION });
  const tell = createEventTeller(settings.events, emit);
  const reports = createReports({ store, open, stacks, warn: createWarnings(emit), tell });
  const hookErrorsBefore = hookErrors();
  let ownErrors = 0;
  /** After an uninstall, the figures as they were then. */
  let final: readonly Family[] | undefined;

  function onError(error: unknown): void {
    ownErrors++;
    callApplication(() => diag.debug('curfew: telemetry failed', error));
  }

  const orphans = createOrphans({
    store,
    exemplars,
    rising,
    orphanGrace,
    orphanReportAfter: Math.max(orphanGrace, orphanReportAfter),
    letGo: (work) => running.letGo(work),
    onSettled: (orphan, now, collected) =>
      curfewSpans.orphaned(orphan, { kind: store.kinds.value(orphan.work.kind), now, collected }),
    onReport(orphan, now) {
      try {
        reports.orphan(orphan, running.spanOf(orphan.work), now);
      } catch (error) {
        onError(error);
      }
    },
  });
  const running = createRunning({ store, orphans, rising, onError });
  const parts = {
    store,
    open,
    orphans,
    running,
    curfewSpans,
    exemplars,
    stacks,
    reports,
    tell,
    rising,
    onError,
  };
  const recorder = createRecorder({ ...parts, optIn: settings });
  const stops = [subscribe(recorder.core), listenToAdapters(recorder.adapters)];
  const watch = watchLingering({ open, rising, lingerAfter, onLingering: reports.lingering });
  const spanProcessor = createProcessor(parts);
  const errors = () => hookErrors() - hookErrorsBefore + ownErrors;
  const families = () => {
    if (final !== undefined) return final;
    watch.renew();
    return collect({ ...parts, lingerAfter, installedAt, errors });
  };

  return {
    spanProcessor,
    producer: (options) => createProducer(families, installedAt, VERSION, options),
    snapshot: () => snapshotOf(families()),
    families,
    keepExemplars() {
      exemplars.kept = true;
    },
    uninstall() {
      if (final !== undefined) return;
      final = families();
      stops.forEach((stop) => stop());
      void spanProcessor.shutdown();
      orphans.stop();
      running.stop();
      watch.stop();
      recorder.stop();
      onUninstall(nextNumber(open));
    },
  };
}
