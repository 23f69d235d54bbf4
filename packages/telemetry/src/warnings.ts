import { clock } from '@curfew/context/spi';
import * as api from '@opentelemetry/api';
import { context, diag, ROOT_CONTEXT, trace, type SpanContext } from '@opentelemetry/api';
import { EVENTS, WARNING_ATTRIBUTES } from './registry';

/** What telemetry needs of a LoggerProvider of `@opentelemetry/api-logs`, or of the API from 1.10 on. */
export interface LoggerProviderLike {
  getLogger(name: string, version?: string): { emit(record: never): void };
}

/** Something that a person should look at. */
export interface Warning {
  readonly sort: 'orphan' | 'lingering' | 'lost' | 'brokenChain';
  /** One sentence. */
  readonly message: string;
  readonly attributes: Readonly<Record<string, string | number | undefined>>;
  /** Where the context was made, where that is known. */
  readonly stack: string | undefined;
  /** The span that it belongs to. */
  readonly span?: SpanContext | undefined;
}

/** Tells warnings as log records and through `diag`, one of each sort in ten seconds; the rest are counted. */
export interface Warnings {
  warn(warning: Warning): void;
}

export interface WarningsOptions {
  /** The global one unless given. */
  readonly loggerProvider?: LoggerProviderLike | undefined;
  readonly version: string;
}

/** Milliseconds between two warnings of one sort. */
const EVERY = 10_000;

/** `SeverityNumber.WARN`. */
const WARN = 13;

/** Where `@opentelemetry/api-logs` keeps the provider that was registered. */
const GLOBAL_LOGS = Symbol.for('io.opentelemetry.js.api.logs');

interface State {
  at: number;
  /** Not told since. */
  held: number;
}

export function createWarnings({ loggerProvider, version }: WarningsOptions): Warnings {
  const states = new Map<Warning['sort'], State>();
  return {
    warn(warning) {
      const now = clock().now();
      const state = states.get(warning.sort);
      if (state !== undefined && now - state.at < EVERY) {
        state.held++;
        return;
      }
      const more =
        state === undefined || state.held === 0 ? '' : ` ${state.held} more since the last such line.`;
      states.set(warning.sort, { at: now, held: 0 });
      const where = warning.stack === undefined ? '' : ` It was made here:\n${warning.stack}`;
      // A logger may write over the network, which the cancelled context that is active here must not cut off.
      context.with(ROOT_CONTEXT, () => {
        diag.warn(`curfew: ${warning.message}${more}${where}`);
        emit(loggerProvider, version, warning);
      });
    },
  };
}

/** From 1.10 on the API has the logs in itself; before, they are a package beside it. */
function globalProvider(): LoggerProviderLike | undefined {
  const get = (globalThis as { [GLOBAL_LOGS]?: (version: number) => LoggerProviderLike })[GLOBAL_LOGS];
  if (typeof get === 'function') return get(1);
  const { logs } = api as { logs?: { getLoggerProvider(): LoggerProviderLike } };
  return logs?.getLoggerProvider();
}

function emit(given: LoggerProviderLike | undefined, version: string, warning: Warning): void {
  const { sort, message, attributes, stack, span } = warning;
  const record = {
    eventName: EVENTS[sort],
    severityNumber: WARN,
    severityText: 'WARN',
    body: message,
    attributes: withoutUndefined({ ...attributes, [WARNING_ATTRIBUTES.stack]: stack }),
    context: span === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, span),
  };
  try {
    (given ?? globalProvider())?.getLogger('@curfew/telemetry', version).emit(record as never);
  } catch (error) {
    diag.debug('curfew: the logger failed', error);
  }
}

function withoutUndefined(attributes: Readonly<Record<string, string | number | undefined>>): object {
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined));
}
