import { clock, nodeOf, type Outcome } from '@curfew/context/spi';
import { context, isSpanContextValid, trace, type Context as OtelContext } from '@opentelemetry/api';

/** What a log record says of the context it was written under. What does not apply is absent. */
export interface LogFields {
  /** Of the active span, under the names that OpenTelemetry's own instrumentations of loggers use. */
  trace_id?: string;
  span_id?: string;
  /** Two hexadecimal digits: `01` where the trace is sampled. */
  trace_flags?: string;
  /** Where the context was given one. */
  'curfew.context.name'?: string;
  /** Of a context that has ended. */
  'curfew.context.outcome'?: Outcome;
  /** Of one that was canceled or exceeded its deadline. */
  'curfew.cancel.reason'?: Exclude<Outcome, 'completed'>;
  /** Of one that lives and has a deadline: whole milliseconds, rounded up, so that 0 says that it is spent. */
  'curfew.deadline.remaining_ms'?: number;
}

export interface LogOptions {
  /**
   * `false` leaves `trace_id`, `span_id` and `trace_flags` to OpenTelemetry's instrumentation of the logger, where
   * that writes them under other names. Default `true`.
   */
  readonly trace?: boolean;
}

/** A format of winston, by its shape: for `format.combine`, or alone. */
export interface WinstonFormat {
  transform<I extends object>(info: I): I;
}

/**
 * What to write on a log record beside the message: the trace, and the name, outcome, reason and remaining time of the
 * context. Empty where there is neither a span nor a context.
 *
 * It only looks: a deadline that has passed and that nobody has noticed yet shows as 0 ms remaining, and
 * the context ends no sooner for it. It never throws. The clock is read only where there is a deadline.
 *
 * @param ctx The active OpenTelemetry context unless given.
 * @returns A new object at each call.
 * @example
 * ```ts
 * import { background, withCancel } from '@curfew/context';
 * import { logFields } from '@curfew/telemetry/logs';
 * const [ctx, cancel] = withCancel(background(), { name: 'search' });
 * logFields(ctx); // => { 'curfew.context.name': 'search' }
 * cancel(new Error('user left'));
 * logFields(ctx)['curfew.cancel.reason']; // => 'canceled'
 * ```
 */
export function logFields(ctx?: OtelContext): LogFields {
  return fieldsOf(ctx, true);
}

/**
 * A `mixin` for pino: adds the fields of `logFields` to each line, of child loggers too. Fields of the same name that a
 * call gives stand, by pino's default merge strategy.
 *
 * @throws TypeError if the options are no object, or `trace` is no boolean.
 * @example
 * ```ts
 * import pino from 'pino';
 * import { background, run, withTimeout } from '@curfew/context';
 * import { pinoMixin } from '@curfew/telemetry/logs';
 * const logger = pino({ mixin: pinoMixin() });
 * const [ctx, cancel] = withTimeout(background(), 300, { name: 'price' });
 * run(ctx, () => logger.info('asking')); // … "curfew.context.name":"price","curfew.deadline.remaining_ms":300 …
 * cancel();
 * ```
 */
export function pinoMixin(options: LogOptions = {}): () => LogFields {
  const withTrace = wantsTrace(options);
  return () => fieldsOf(undefined, withTrace);
}

/**
 * A format for winston: adds the fields of `logFields` to each record, but for those that it has already. Put it before
 * the format that writes the record, such as `json()`.
 *
 * winston formats a record when its stream gets to it. While a slow transport holds the stream up, that is later, and
 * the context is another one's: OpenTelemetry's instrumentation of winston, which writes when the call is made, is
 * exact about the trace there.
 *
 * @throws TypeError if the options are no object, or `trace` is no boolean.
 * @example
 * ```ts
 * import { createLogger, format, transports } from 'winston';
 * import { winstonFormat } from '@curfew/telemetry/logs';
 * const logger = createLogger({
 *   format: format.combine(winstonFormat(), format.json()),
 *   transports: [new transports.Console()],
 * });
 * logger.info('asking'); // … "curfew.context.name":"price" … where a context is active
 * ```
 */
export function winstonFormat(options: LogOptions = {}): WinstonFormat {
  const withTrace = wantsTrace(options);
  return {
    transform(info) {
      try {
        for (const [key, value] of Object.entries(fieldsOf(undefined, withTrace)) as [string, unknown][]) {
          if (!Object.hasOwn(info, key)) Object.assign(info, { [key]: value });
        }
      } catch {
        // A frozen record stays as it is.
      }
      return info;
    },
  };
}

function wantsTrace(options: LogOptions): boolean {
  if (typeof options !== 'object' || (options as unknown) === null) {
    throw new TypeError(`options must be an object, got ${options === null ? 'null' : typeof options}`);
  }
  const { trace: wanted = true } = options;
  if (typeof wanted !== 'boolean') throw new TypeError(`trace must be true or false, got ${typeof wanted}`);
  return wanted;
}

function fieldsOf(ctx: OtelContext | undefined, withTrace: boolean): LogFields {
  const fields: LogFields = {};
  if (withTrace) addTrace(fields, ctx);
  addContext(fields, ctx);
  return fields;
}

// Somebody else's context, span or ContextManager may throw: a line that lacks a field is better than none.

function addTrace(fields: LogFields, ctx: OtelContext | undefined): void {
  try {
    const span = trace.getSpanContext(ctx ?? context.active());
    if (span === undefined || !isSpanContextValid(span)) return;
    fields.trace_id = span.traceId;
    fields.span_id = span.spanId;
    fields.trace_flags = span.traceFlags.toString(16).padStart(2, '0');
  } catch {
    // What was found before it threw is kept.
  }
}

function addContext(fields: LogFields, ctx: OtelContext | undefined): void {
  try {
    const node = nodeOf(ctx ?? context.active());
    if (node === undefined) return;
    const { name, due, ending } = node;
    if (typeof name === 'string' && name !== '') fields['curfew.context.name'] = name;
    if (ending !== undefined) {
      fields['curfew.context.outcome'] = ending.outcome;
      if (ending.outcome !== 'completed') fields['curfew.cancel.reason'] = ending.outcome;
    } else if (due !== undefined) {
      // Not by `remaining()`, which would end the context if the deadline has passed.
      fields['curfew.deadline.remaining_ms'] = Math.max(0, Math.ceil(due.at - clock().now()));
    }
  } catch {
    // As above.
  }
}
