import type { LoggerProviderLike } from './log-emitter';

export interface TelemetryOptions {
  /** Milliseconds after the end of its context from which work still running is an orphan. Default 1,000. */
  readonly orphanGrace?: number;
  /** Milliseconds after the end of its context at which an orphan still running is reported. Default 30,000. */
  readonly orphanReportAfter?: number;
  /** Milliseconds of age from which a context that has not ended is lingering. Default 60,000; `Infinity`: never. */
  readonly lingerAfter?: number;
  /** Context names kept apart; those after are `_OTHER`. Default 50. */
  readonly maxNames?: number;
  /** Operation kinds kept apart; those after are `_OTHER`. Default 10. */
  readonly maxKinds?: number;
  /** Keeps `curfew.context.duration` for each name too: some 20 series a name and outcome. Default `false`. */
  readonly durationByName?: boolean;
  /** Records `curfew.cleanup.duration`. Default `false`. */
  readonly cleanups?: boolean;
  /**
   * Counts contexts that were garbage-collected without having ended, as `curfew.context.lost`. Costs about half a
   * microsecond a context, hence the default, `false`.
   */
  readonly lost?: boolean;
  /**
   * The share of contexts, from 0 to 1, whose stack is kept, so that warnings tell where they were made. Costs
   * microseconds and about a kilobyte for each of them. Default 0.
   */
  readonly captureStacks?: number;
  /**
   * How the end of a context is told of each span that is open under it: as an event of the span, or as a log record
   * in its trace. Default `'span'`.
   */
  readonly events?: 'span' | 'log';
  /** Where warnings go as log records, beside `diag`. Default: the global LoggerProvider, if one is registered. */
  readonly loggerProvider?: LoggerProviderLike;
}

/** The options with every default filled in. */
export type TelemetrySettings = Required<Omit<TelemetryOptions, 'loggerProvider'>> &
  Pick<TelemetryOptions, 'loggerProvider'>;

/**
 * Fills in the defaults.
 *
 * @throws TypeError or RangeError naming the option that is wrong.
 */
export function checkTelemetryOptions(options: TelemetryOptions): TelemetrySettings {
  if (typeof options !== 'object' || (options as unknown) === null)
    throw new TypeError(`options must be an object, got ${options === null ? 'null' : typeof options}`);
  const { loggerProvider } = options;
  if (loggerProvider !== undefined && typeof loggerProvider?.getLogger !== 'function')
    throw new TypeError('loggerProvider must have a method getLogger');
  return {
    orphanGrace: duration(options.orphanGrace, 'orphanGrace', 1000),
    orphanReportAfter: duration(options.orphanReportAfter, 'orphanReportAfter', 30_000),
    lingerAfter: duration(options.lingerAfter, 'lingerAfter', 60_000),
    maxNames: cap(options.maxNames, 'maxNames', 50),
    maxKinds: cap(options.maxKinds, 'maxKinds', 10),
    durationByName: choice(options.durationByName, 'durationByName'),
    cleanups: choice(options.cleanups, 'cleanups'),
    lost: choice(options.lost, 'lost'),
    events: eventForm(options.events),
    captureStacks: share(options.captureStacks, 'captureStacks'),
    ...(loggerProvider === undefined ? {} : { loggerProvider }),
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

function share(value: unknown, name: string): number {
  if (value === undefined) return 0;
  if (typeof value !== 'number')
    throw new TypeError(`${name} must be a number from 0 to 1, got ${typeof value}`);
  if (!(value >= 0 && value <= 1)) throw new RangeError(`${name} must be from 0 to 1, got ${value}`);
  return value;
}

function eventForm(value: unknown): 'span' | 'log' {
  if (value === undefined || value === 'span' || value === 'log') return value ?? 'span';
  throw new TypeError(`events must be 'span' or 'log', got ${String(value)}`);
}

function choice(value: unknown, name: string): boolean {
  if (value === undefined) return false;
  if (typeof value !== 'boolean') throw new TypeError(`${name} must be true or false, got ${typeof value}`);
  return value;
}
