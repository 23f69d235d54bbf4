import {
  cap,
  count,
  delay,
  flag,
  hosts,
  httpUrl,
  listOf,
  milliseconds,
  oneOf,
  pairs,
  port,
  ratio,
  text,
  type Kind,
} from './kinds';

/**
 * Every environment variable that is read, declared once: the reader, its warnings and the table in the README
 * are derived from this file.
 */
export interface Setting<T> {
  readonly env: string;
  readonly kind: Kind<T>;
  /** Used where the variable is unset, empty or bad; `undefined` where something else decides then. */
  readonly fallback: T | undefined;
  /** The default as the table shows it, where `fallback` does not say it. */
  readonly shown?: string;
  readonly help: string;
  /** `true` keeps the value out of warnings. */
  readonly secret?: boolean;
}

function setting<T>(
  env: string,
  kind: Kind<T>,
  fallback: T,
  help: string,
  shown?: string,
): Setting<T> & { readonly fallback: T } {
  return { env, kind, fallback, help, ...(shown === undefined ? {} : { shown }) };
}

function optional<T>(env: string, kind: Kind<T>, help: string, shown: string): Setting<T> {
  return { env, kind, fallback: undefined, shown, help };
}

export const SAMPLERS = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const;

export const LOG_LEVELS = ['none', 'error', 'warn', 'info', 'debug', 'verbose', 'all'] as const;

const NO_GRPC =
  ' (grpc is not supported: leave this unset and give the address of the HTTP port, 4318 on a Collector)';

/** What is read once. Times are milliseconds. */
export const SETTINGS = {
  disabled: setting(
    'OTEL_SDK_DISABLED',
    flag,
    false,
    'Sets up no telemetry, exporter or instrumentation. `active()` still works across awaits.',
  ),
  logLevel: setting(
    'OTEL_LOG_LEVEL',
    oneOf(LOG_LEVELS),
    'warn',
    'What OpenTelemetry and Curfew say about themselves, on stderr.',
  ),
  serviceName: optional(
    'OTEL_SERVICE_NAME',
    text,
    'The service in every trace and metric. Comes before `service.name` in the next one.',
    '`unknown_service:node`',
  ),
  resource: setting(
    'OTEL_RESOURCE_ATTRIBUTES',
    pairs,
    {},
    'More of the resource: `deployment.environment.name=prod,service.version=1.2`.',
    'none',
  ),
  propagators: setting(
    'OTEL_PROPAGATORS',
    listOf(['tracecontext', 'baggage']),
    ['tracecontext', 'baggage'],
    'How traces and baggage travel. Deadlines travel by `CURFEW_OUTBOUND_HOSTS`.',
  ),
  sampler: setting(
    'OTEL_TRACES_SAMPLER',
    oneOf(SAMPLERS),
    'parentbased_always_on',
    'Which traces are recorded.',
  ),
  samplerRatio: setting('OTEL_TRACES_SAMPLER_ARG', ratio, 1, 'The share that the two ratio samplers take.'),
  traces: optional(
    'OTEL_TRACES_EXPORTER',
    listOf(['otlp', 'console']),
    'Where traces go.',
    '`otlp` if an endpoint is set, else `none`',
  ),
  metrics: optional(
    'OTEL_METRICS_EXPORTER',
    listOf(['prometheus', 'otlp', 'console']),
    'Where metrics go.',
    '`prometheus`, and `otlp` if an endpoint is set',
  ),
  prometheusHost: setting(
    'OTEL_EXPORTER_PROMETHEUS_HOST',
    text,
    '127.0.0.1',
    'Where `/metrics` listens. `0.0.0.0` opens it to the network.',
  ),
  prometheusPort: setting(
    'OTEL_EXPORTER_PROMETHEUS_PORT',
    port,
    9464,
    'Its port; 0 takes any free one, which `handle.prometheus` and the log level `info` tell.',
  ),
  metricInterval: setting('OTEL_METRIC_EXPORT_INTERVAL', delay, 60_000, 'Between two exports of metrics.'),
  metricTimeout: setting(
    'OTEL_METRIC_EXPORT_TIMEOUT',
    delay,
    30_000,
    'How long one export of metrics may take; never more than the interval.',
  ),
  temporality: setting(
    'OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE',
    oneOf(['cumulative', 'delta', 'lowmemory']),
    'cumulative',
    'The temporality of metrics over OTLP. With `delta`, what a failed export held is lost.',
  ),
  spanQueue: setting(
    'OTEL_BSP_MAX_QUEUE_SIZE',
    count,
    2048,
    'Ended spans kept for export; more are dropped.',
  ),
  spanBatch: setting(
    'OTEL_BSP_MAX_EXPORT_BATCH_SIZE',
    count,
    512,
    'Spans in one export; never more than the queue.',
  ),
  spanDelay: setting('OTEL_BSP_SCHEDULE_DELAY', delay, 5_000, 'Between two exports of spans.'),
  spanTimeout: setting('OTEL_BSP_EXPORT_TIMEOUT', delay, 30_000, 'How long one export of spans may take.'),
  attributeCount: setting('OTEL_ATTRIBUTE_COUNT_LIMIT', count, 128, 'Attributes of anything.'),
  attributeLength: optional(
    'OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT',
    count,
    'Characters of an attribute of anything.',
    'no limit',
  ),
  spanAttributeCount: optional(
    'OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT',
    count,
    'Attributes of a span.',
    'as of anything',
  ),
  spanAttributeLength: optional(
    'OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT',
    count,
    'Characters of an attribute of a span.',
    'as of anything',
  ),
  spanEvents: setting('OTEL_SPAN_EVENT_COUNT_LIMIT', count, 128, 'Events of a span.'),
  spanLinks: setting('OTEL_SPAN_LINK_COUNT_LIMIT', count, 128, 'Links of a span.'),
  eventAttributes: setting('OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT', count, 128, 'Attributes of an event.'),
  linkAttributes: setting('OTEL_LINK_ATTRIBUTE_COUNT_LIMIT', count, 128, 'Attributes of a link.'),
  enforce: setting(
    'CURFEW_ENFORCE',
    flag,
    true,
    '`0` watches: what Curfew would cancel is counted as `curfew.cancel.observed` and not cancelled. The kill switch.',
  ),
  guard: setting(
    'CURFEW_GUARD',
    flag,
    true,
    '`0` takes the guard off `process.emit`; calls and queries then run on when their request ends, since their errors could end the process.',
  ),
  orphanGrace: setting(
    'CURFEW_ORPHAN_GRACE',
    milliseconds,
    1_000,
    'Work that runs on for longer after its context ended is an orphan.',
  ),
  orphanReportAfter: setting(
    'CURFEW_ORPHAN_REPORT_AFTER',
    milliseconds,
    30_000,
    'An orphan still running then is reported by a warning and a span event.',
  ),
  lingerAfter: setting(
    'CURFEW_LINGER_AFTER',
    milliseconds,
    60_000,
    'A context that is older and has not ended is lingering.',
  ),
  maxNames: setting(
    'CURFEW_MAX_NAMES',
    cap,
    50,
    'Context names kept apart in metrics; the rest are `_OTHER`.',
  ),
  maxKinds: setting(
    'CURFEW_MAX_KINDS',
    cap,
    10,
    'Operation kinds kept apart in metrics; the rest are `_OTHER`.',
  ),
  durationByName: setting(
    'CURFEW_DURATION_BY_NAME',
    flag,
    false,
    'Keeps `curfew.context.duration` for each name too: some 20 series a name and outcome.',
  ),
  cleanups: setting('CURFEW_CLEANUPS', flag, false, 'Records `curfew.cleanup.duration`.'),
  lost: setting(
    'CURFEW_LOST',
    flag,
    false,
    'Counts contexts that were garbage-collected without having ended; costs about half a microsecond a context.',
  ),
  captureStacks: setting(
    'CURFEW_CAPTURE_STACKS',
    ratio,
    0,
    'The share of contexts whose stack is kept, so that warnings tell where they were made.',
  ),
  events: setting(
    'CURFEW_EVENTS',
    oneOf(['span', 'log']),
    'span',
    'How the end of a context is told of open spans: as their events or as log records in their trace.',
  ),
  maxTimeout: setting(
    'CURFEW_MAX_TIMEOUT',
    milliseconds,
    3_600_000,
    'The longest budget that a caller may bring; more is cut to it.',
  ),
  requestTimeout: optional(
    'CURFEW_REQUEST_TIMEOUT',
    delay,
    "The server's own limit for every inbound HTTP request; a shorter budget of the caller goes before it.",
    'no limit',
  ),
  outboundHosts: setting(
    'CURFEW_OUTBOUND_HOSTS',
    hosts,
    ['private'],
    'Who is told the remaining budget: hosts, `*.suffix`, `private` (the own network), `*` (all), `none`.',
  ),
  shutdownTimeout: setting(
    'CURFEW_SHUTDOWN_TIMEOUT',
    delay,
    2_000,
    'The limit of a flush, at shutdown and when the process ends.',
  ),
} as const;

/**
 * What OTLP reads for traces and metrics together, and for each alone: `OTEL_EXPORTER_OTLP_<env>`, and
 * `OTEL_EXPORTER_OTLP_TRACES_<env>` or `…_METRICS_<env>`, which comes first.
 */
export const OTLP_SETTINGS = {
  endpoint: optional(
    'ENDPOINT',
    httpUrl,
    'Where OTLP goes; setting it turns export on. `v1/traces` and `v1/metrics` are added, but not to the address of one signal.',
    'none; `http://localhost:4318` where `otlp` is asked for',
  ),
  protocol: setting(
    'PROTOCOL',
    oneOf(['http/protobuf', 'http/json'], NO_GRPC),
    'http/protobuf',
    '`http/protobuf` or `http/json`. gRPC is not supported.',
  ),
  headers: {
    ...setting(
      'HEADERS',
      pairs,
      {},
      'Sent with every export: `authorization=Bearer%20…`. The pairs of both are sent.',
      'none',
    ),
    secret: true,
  },
  timeout: setting('TIMEOUT', delay, 10_000, 'How long one export may take, retries included.'),
  compression: setting('COMPRESSION', oneOf(['none', 'gzip']), 'none', '`gzip` or `none`.'),
  certificate: optional('CERTIFICATE', text, 'A PEM file with the authority to trust.', "Node's own"),
  clientCertificate: optional(
    'CLIENT_CERTIFICATE',
    text,
    "A PEM file with the client's certificate.",
    'none',
  ),
  clientKey: optional('CLIENT_KEY', text, "A PEM file with the client's key.", 'none'),
} as const;

type Valued<S> = S extends { readonly kind: Kind<infer T>; readonly fallback: infer F }
  ? T | (F extends undefined ? undefined : never)
  : never;

/** The values of a list of settings. */
export type Values<L> = { readonly [K in keyof L]: Valued<L[K]> };

export type Signal = 'traces' | 'metrics';
export type OtlpValues = Values<typeof OTLP_SETTINGS> & {
  /** `true` where the endpoint is that of this signal, to be used as it is. */
  readonly exact: boolean;
};

/** Everything that the environment says. */
export interface Settings extends Values<typeof SETTINGS> {
  readonly otlp: Readonly<Record<Signal, OtlpValues>>;
}
