import { clock, hookErrors, subscribe } from '@curfew/context/spi';
import { diag } from '@opentelemetry/api';
import { collect, snapshotOf, type Family, type Snapshot } from './exits/collect';
import { createEvents } from './spans/span-events';
import { createExemplars } from './figures/exemplars';
import { watchLingering } from './warnings/lingering';
import { createLive } from './figures/open-contexts';
import { createOpenWork } from './operations/open-work';
import { checkTelemetryOptions, type TelemetryOptions, type TelemetrySettings } from './options';
import { createOrigins } from './warnings/stacks';
import { createOwnSpans } from './spans/own-spans';
import { createProcessor, type CurfewSpanProcessor } from './recording/processor';
import { createProducer, type CurfewMetricProducer, type ProducerOptions } from './exits/producer';
import { listenToAdapters } from './recording/adapter-events';
import { createRecorder } from './recording/recorder';
import { createReports } from './warnings/reports';
import { quietly } from './application-call';
import { nextSlots } from './figures/slots';
import { createSteady } from './figures/rising-clock';
import { createStore } from './figures/store';
import { VERSION } from './version';
import { createLogRecords } from './log-emitter';
import { createWarnings } from './warnings/warnings';
import { createWork, type Running } from './operations/work';

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

const INSTALLED = Symbol.for('@curfew/telemetry.installed.v1');

/** The telemetry of this process, if it is installed. */
export function installed(): Telemetry | undefined {
  return (globalThis as { [INSTALLED]?: Telemetry })[INSTALLED];
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
  const present = installed();
  if (present !== undefined) {
    diag.warn('@curfew/telemetry is installed already; the options of the second call are not used.');
    return present;
  }
  const slots = globalThis as { [INSTALLED]?: Telemetry };
  const telemetry = create(settings, () => {
    if (slots[INSTALLED] === telemetry) delete slots[INSTALLED];
  });
  slots[INSTALLED] = telemetry;
  return telemetry;
}

function create(settings: TelemetrySettings, onUninstall: () => void): Telemetry {
  const installedAt = clock().wallNow();
  const { lingerAfter, orphanGrace, orphanReportAfter } = settings;
  const store = createStore({ ...settings, version: VERSION });
  const slots = nextSlots();
  const live = createLive(slots.contexts);
  const steady = createSteady();
  const own = createOwnSpans(VERSION);
  const exemplars = createExemplars();
  const origins = createOrigins(settings.captureStacks);
  const emit = createLogRecords({ loggerProvider: settings.loggerProvider, version: VERSION });
  const tell = createEvents(settings.events, emit);
  const reports = createReports({ store, live, origins, warn: createWarnings(emit), tell });
  const hookErrorsBefore = hookErrors();
  let ownErrors = 0;
  /** After an uninstall, the figures as they were then. */
  let final: readonly Family[] | undefined;

  function onError(error: unknown): void {
    ownErrors++;
    quietly(() => diag.debug('curfew: telemetry failed', error));
  }

  const work = createWork({
    store,
    exemplars,
    steady,
    orphanGrace,
    orphanReportAfter: Math.max(orphanGrace, orphanReportAfter),
    onOrphanSettled: (running, now, collected) =>
      own.orphaned(running, { kind: store.kinds.value(running.kind), now, collected }),
    onOrphanReport(running, now) {
      try {
        reports.orphan(running, now);
      } catch (error) {
        onError(error);
      }
    },
  });
  const spans = createOpenWork(dropped);
  const operations = createOpenWork(dropped);

  function dropped(running: Running): void {
    try {
      if (final === undefined) work.drop(running);
    } catch (error) {
      onError(error);
    }
  }

  const parts = {
    store,
    live,
    work,
    spans,
    operations,
    own,
    exemplars,
    origins,
    reports,
    tell,
    steady,
    onError,
  };
  const recorder = createRecorder({ ...parts, optIn: settings });
  const stops = [subscribe(recorder.events), listenToAdapters(recorder.adapters)];
  const watch = watchLingering({ live, steady, lingerAfter, onLingering: reports.lingering });
  const spanProcessor = createProcessor(parts);
  const errors = () => hookErrors() - hookErrorsBefore + ownErrors;
  const families = () => final ?? collect({ ...parts, lingerAfter, installedAt, errors });

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
      work.stop();
      watch.stop();
      recorder.stop();
      slots.contexts += live.used;
      onUninstall();
    },
  };
}
