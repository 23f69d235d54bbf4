import * as api from '@opentelemetry/api';
import { context, diag, ROOT_CONTEXT, trace, type SpanContext } from '@opentelemetry/api';
import { callApplication } from './application-call';

/** What telemetry needs of a LoggerProvider of `@opentelemetry/api-logs`, or of the API from 1.10 on. */
export interface LoggerProviderLike {
  getLogger(name: string, version?: string): { emit(record: never): void };
}

/** `SeverityNumber`, by its text. */
const SEVERITY = { DEBUG: 5, WARN: 13 } as const;

export interface LogRecord {
  readonly eventName: string;
  readonly severity: keyof typeof SEVERITY;
  /** One sentence, where a person is to read it. */
  readonly body?: string;
  readonly attributes: Readonly<Record<string, string | number | undefined>>;
  /** The span that it belongs to. */
  readonly span?: SpanContext | undefined;
  /** Epoch ms, where it is about a moment that has passed. */
  readonly at?: number;
}

/** Emits a log record, if there is anybody to take it. Never throws. */
export type EmitLogRecord = (record: LogRecord) => void;

export interface LogEmitterOptions {
  /** The global one unless given. */
  readonly loggerProvider?: LoggerProviderLike | undefined;
  readonly version: string;
}

export function createLogEmitter({ loggerProvider, version }: LogEmitterOptions): EmitLogRecord {
  return ({ eventName, severity, body, attributes, span, at }) => {
    const record = {
      eventName,
      severityNumber: SEVERITY[severity],
      severityText: severity,
      body,
      attributes: Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined)),
      context: span === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, span),
      ...(at === undefined ? {} : { timestamp: at }),
    };
    try {
      const provider = loggerProvider ?? globalProvider();
      // A logger may write over the network, which a cancelled context that is active here must not cut off.
      context.with(ROOT_CONTEXT, () =>
        provider?.getLogger('@curfew/telemetry', version).emit(record as never),
      );
    } catch (error) {
      callApplication(() => diag.debug('curfew: the logger failed', error));
    }
  };
}

/** Where `@opentelemetry/api-logs` keeps the provider that was registered. */
const GLOBAL_LOGS = Symbol.for('io.opentelemetry.js.api.logs');

/** From 1.10 on the API has the logs in itself; before, they are a package beside it. */
function globalProvider(): LoggerProviderLike | undefined {
  const get = (globalThis as { [GLOBAL_LOGS]?: (version: number) => LoggerProviderLike })[GLOBAL_LOGS];
  if (typeof get === 'function') return get(1);
  const { logs } = api as { logs?: { getLoggerProvider(): LoggerProviderLike } };
  return logs?.getLoggerProvider();
}
