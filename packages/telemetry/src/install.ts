import { clock, subscribe } from '@curfew/context/spi';
import { diag } from '@opentelemetry/api';
import { REASON_NAMES } from './cells';
import { collect, snapshotOf, type Family, type Snapshot } from './collect';
import { createLive } from './live';
import { createOpenSpans } from './open-spans';
import { createOwnSpans } from './own-spans';
import { createProcessor, type CurfewSpanProcessor } from './processor';
import { createProducer, type CurfewMetricProducer, type ProducerOptions } from './producer';
import { createRecorder } from './recorder';
import { EVENTS } from './registry';
import { createStore } from './store';
import { VERSION } from './version';
import { createWork, type Running } from './work';

export interface TelemetryOptions {
  /** Milliseconds after the end of its context from which work still running is an orphan. Default 1,000. */
  readonly orphanGrace?: number;
  /** Milliseconds after the end of its context at which an orphan still running is reported. Default 30,000. */
  readonly orphanReportAfter?: number;
  /** Milliseconds of age from which a context that has not ended is lingering. Default 60,000. */
  readonly lingerAfter?: number;
  /** Context names kept apart; those after are `_OTHER`. Default 50. */
  readonly maxNames?: number;
  /** Operation kinds kept apart; those after are `_OTHER`. Default 10. */
  readonly maxKinds?: number;
}

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

/** Warnings of one sort are this many milliseconds apart at least. */
const WARN_EVERY = 10_000;

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
  const settings = {
    orphanGrace: duration(options.orphanGrace, 'orphanGrace', 1000),
    orphanReportAfter: duration(options.orphanReportAfter, 'orphanReportAfter', 30_000),
    lingerAfter: duration(options.lingerAfter, 'lingerAfter', 60_000),
    maxNames: cap(options.maxNames, 'maxNames', 50),
    maxKinds: cap(options.maxKinds, 'maxKinds', 10),
  };
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

function create(settings: Required<TelemetryOptions>, onUninstall: () => void): Telemetry {
  const installedAt = clock().wallNow();
  const store = createStore({ maxNames: settings.maxNames, maxKinds: settings.maxKinds, version: VERSION });
  const live = createLive();
  const spans = createOpenSpans();
  const own = createOwnSpans(VERSION);
  const reasonOf = (running: Running) => REASON_NAMES[running.reason] ?? 'canceled';
  let errors = 0;
  let warnedAt = -Infinity;

  const work = createWork(store, {
    orphanGrace: settings.orphanGrace,
    orphanReportAfter: Math.max(settings.orphanGrace, settings.orphanReportAfter),
    onOrphanSettled: (running, now) => own.orphaned(running, store.kinds.value(running.kind), now),
    onOrphanReport(running, now) {
      const seconds = ((now - running.endedAt) / 1000).toFixed(1);
      const { span } = running;
      if (span?.isRecording() === true)
        span.addEvent(EVENTS.orphan, { 'curfew.cancel.reason': reasonOf(running) });
      if (now - warnedAt < WARN_EVERY) return;
      warnedAt = now;
      const what = running.name ?? store.kinds.value(running.kind);
      diag.warn(`Orphan: ${what} still runs ${seconds} s after its context ended (${reasonOf(running)}).`);
    },
  });
  const unsubscribe = subscribe(createRecorder({ store, live, work, spans, own }));
  const families = (): Family[] =>
    collect({ store, live, work, lingerAfter: settings.lingerAfter, installedAt, ownErrors: () => errors });

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
    keepExemplars: () => undefined,
    uninstall() {
      unsubscribe();
      work.stop();
      onUninstall();
    },
  };
}

function duration(value: unknown, name: string, fallback: number): number {
  if (value === undefined) return fallback;
  if (typeof value !== 'number')
    throw new TypeError(`${name} must be a number of milliseconds, got ${typeof value}`);
  if (!(value >= 0)) throw new RangeError(`${name} must be 0 or more milliseconds, got ${value}`);
  return value;
}

function cap(value: unknown, name: string, fallback: number): number {
  if (value === undefined) return fallback;
  if (typeof value !== 'number') throw new TypeError(`${name} must be a whole number, got ${typeof value}`);
  if (!Number.isInteger(value) || value < 1 || value > 10_000) {
    throw new RangeError(`${name} must be a whole number from 1 to 10000, got ${value}`);
  }
  return value;
}
