import { checkChoice, checkNumber, checkOptions, wrongType, type NumberRange } from '@curfew/context/spi';
import type { LoggerProviderLike } from './log-emitter';

/** How an option is declared: what it takes, what is used without it, and its words. */
export type OptionDeclaration = NumberOption | FlagOption | ChoiceOption<string> | ObjectOption;

export interface NumberOption extends NumberRange {
  readonly kind: 'number';
  readonly fallback: number;
  readonly help: string;
}

export interface FlagOption {
  readonly kind: 'flag';
  readonly fallback: boolean;
  readonly help: string;
}

/** One of a few words. */
export interface ChoiceOption<V extends string> {
  readonly kind: 'choice';
  readonly fallback: V;
  readonly values: readonly V[];
  readonly help: string;
}

/** An object of the application's, which no environment variable can stand for. */
export interface ObjectOption {
  readonly kind: 'object';
  /** The method that it must have. */
  readonly method: string;
  /** What is used without it, in words. */
  readonly otherwise: string;
  readonly help: string;
}

/**
 * Every option of `install`, declared once. Its type, its check, its default, the table in the README and the setting
 * of `@curfew/node` are derived from this.
 */
export const TELEMETRY_OPTIONS = {
  /** Milliseconds after the end of its context from which work still running is an orphan. */
  orphanGrace: duration(1000, 'Work that runs on for longer after its context ended is an orphan.'),
  /** Milliseconds after the end of its context at which an orphan still running is reported. */
  orphanReportAfter: duration(
    30_000,
    'An orphan still running then is reported by a warning and a span event.',
  ),
  /** Milliseconds of age from which a context that has not ended is lingering; `Infinity`: never. */
  lingerAfter: duration(60_000, 'A context that is older and has not ended is lingering.'),
  /** Context names kept apart; those after are `_OTHER`. */
  maxNames: cap(50, 'Context names kept apart in metrics; the rest are `_OTHER`.'),
  /** Operation kinds kept apart; those after are `_OTHER`. */
  maxKinds: cap(10, 'Operation kinds kept apart in metrics; the rest are `_OTHER`.'),
  /** Keeps `curfew.context.duration` for each name too: some 20 series a name and outcome. */
  durationByName: flag(
    'Keeps `curfew.context.duration` for each name too: some 20 series a name and outcome.',
  ),
  /** Records `curfew.cleanup.duration`. */
  cleanups: flag('Records `curfew.cleanup.duration`.'),
  /** Counts contexts that were garbage-collected without having ended, as `curfew.context.lost`. */
  lost: flag(
    'Counts contexts that were garbage-collected without having ended; costs about half a microsecond a context.',
  ),
  /** The share of contexts, from 0 to 1, whose stack is kept: microseconds and about a kilobyte for each of them. */
  captureStacks: share(
    0,
    'The share of contexts whose stack is kept, so that warnings tell where they were made.',
  ),
  /** How the end of a context is told of open spans: as their events, or as log records in their trace. */
  events: choice(
    ['span', 'log'],
    'How the end of a context is told of open spans: as their events or as log records in their trace.',
  ),
  /** Where warnings go as log records, beside `diag`; the global LoggerProvider unless given, if one is registered. */
  loggerProvider: {
    kind: 'object',
    method: 'getLogger',
    otherwise: 'the global one',
    help: 'Where warnings go as log records.',
  },
} as const satisfies Readonly<Record<string, OptionDeclaration>>;

type Declared = typeof TELEMETRY_OPTIONS;

type ValueOf<D> = D extends { readonly fallback: infer F } ? F : LoggerProviderLike;

/** What `install` takes. */
export type TelemetryOptions = { readonly [K in keyof Declared]?: ValueOf<Declared[K]> };

/** The options with every default filled in. */
export type TelemetrySettings = Required<Omit<TelemetryOptions, 'loggerProvider'>> &
  Pick<TelemetryOptions, 'loggerProvider'>;

/**
 * Fills in the defaults.
 *
 * @throws TypeError or RangeError naming the option that is wrong.
 */
export function checkTelemetryOptions(options: TelemetryOptions): TelemetrySettings {
  checkOptions(options, 'options');
  const settings: Record<string, unknown> = {};
  for (const [name, declared] of Object.entries<OptionDeclaration>(TELEMETRY_OPTIONS)) {
    const value = (options as Readonly<Record<string, unknown>>)[name];
    if (value !== undefined) checkOption(declared, value, `options.${name}`);
    const used = value ?? ('fallback' in declared ? declared.fallback : undefined);
    if (used !== undefined) settings[name] = used;
  }
  return settings as TelemetrySettings;
}

function checkOption(declared: OptionDeclaration, value: unknown, name: string): void {
  switch (declared.kind) {
    case 'number':
      return checkNumber(value, name, declared);
    case 'flag':
      if (typeof value === 'boolean') return;
      throw wrongType(name, 'true or false', value);
    case 'choice':
      return checkChoice(value, name, declared.values);
    case 'object':
      if (typeof (value as Record<string, unknown> | null)?.[declared.method] === 'function') return;
      throw wrongType(name, `an object with a method ${declared.method}`, value);
  }
}

function duration(fallback: number, help: string) {
  return {
    kind: 'number',
    fallback,
    least: 0,
    most: Infinity,
    whole: false,
    unit: 'milliseconds',
    help,
  } as const;
}

/** How many of something are kept apart. */
function cap(fallback: number, help: string) {
  return { kind: 'number', fallback, least: 1, most: 10_000, whole: true, help } as const;
}

function share(fallback: number, help: string) {
  return { kind: 'number', fallback, least: 0, most: 1, whole: false, help } as const;
}

function flag(help: string) {
  return { kind: 'flag', fallback: false as boolean, help } as const;
}

/** The first of the words is the default. */
function choice<const V extends string>(values: readonly [V, ...V[]], help: string): ChoiceOption<V> {
  return { kind: 'choice', fallback: values[0], values, help };
}
