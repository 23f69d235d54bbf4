import { clock, subscribe } from '@curfew/context/spi';
import { diag } from '@opentelemetry/api';
import { collect, snapshotOf, type Family, type Snapshot } from './collect';
import { createEvents } from './events';
import { createExemplars } from './exemplars';
import { watchLingering } from './lingering';
import { createLive } from './live';
import { createOpenSpans } from './open-spans';
import { checkTelemetryOptions, type TelemetryOptions, type TelemetrySettings } from './options';
import { createOrigins } from './origins';
import { createOwnSpans } from './own-spans';
import { createProcessor, type CurfewSpanProcessor } from './processor';
import { createProducer, type CurfewMetricProducer, type ProducerOptions } from './producer';
import { createRecorder } from './recorder';
import { createReports } from './reports';
import { createStore } from './store';
import { VERSION } from './version';
import { createLogRecords } from './log-records';
import { createWarnings } from './warnings';
import { createWork } from './work';

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
  const slots = globalThis as { [INSTALLED]?: Telemetry };
  const present = slots[INSTALLED];
  if (present !== undefined) {
    diag.warn('@curfew/telemetry is installed already; the options of the second call are not used.');
    return present;
  }
  const telemetry = create(settings, () => {
    delete slots[INSTALLED];
  });
  slots[INSTALLED] = telemetry;
  return telemetry;
}

function create(settings: TelemetrySettings, onUninstall: () => void): Telemetry {
  const installedAt = clock().wallNow();
  const { lingerAfter, orphanGrace, orphanReportAfter } = settings;
  const store = createStore({ ...settings, version: VERSION });
  const live = createLive();
  const spans = createOpenSpans();
  const own = createOwnSpans(VERSION);
  const exemplars = createExemplars();
  const origins = createOrigins(settings.captureStacks);
  const emit = createLogRecords({ loggerProvider: settings.loggerProvider, version: VERSION });
  const tell = createEvents(settings.events, emit);
  const reports = createReports({ store, live, origins, warn: createWarnings(emit), tell });
  let errors = 0;

  const work = createWork({
    store,
    exemplars,
    orphanGrace,
    orphanReportAfter: Math.max(orphanGrace, orphanReportAfter),
    onOrphanSettled: (running, now) => own.orphaned(running, store.kinds.value(running.kind), now),
    onOrphanReport: (running, now) => reports.orphan(running, now),
  });
  const parts = { store, live, work, spans, own, exemplars, origins, reports, tell };
  const recorder = createRecorder({ ...parts, optIn: settings });
  const unsubscribe = subscribe(recorder.events);
  const watch = watchLingering({ live, lingerAfter, onLingering: reports.lingering });
  const families = (): Family[] => collect({ ...parts, lingerAfter, installedAt, ownErrors: () => errors });

  return {
    spanProcessor: createProcessor({
      store,
      work,
      spans,
      own,
      onError(error) {
        errors++;
        diag.debug('@curfew/telemetry: the span processor failed', error);
      },
    }),
    producer: (options) => createProducer(families, installedAt, VERSION, options),
    snapshot: () => snapshotOf(families()),
    families,
    keepExemplars() {
      exemplars.kept = true;
    },
    uninstall() {
      unsubscribe();
      work.stop();
      watch.stop();
      recorder.stop();
      onUninstall();
    },
  };
}
