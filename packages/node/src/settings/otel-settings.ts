import { count, delay, flag, listOf, oneOf, pairs, port, ratio, text, optional, setting } from './kinds';

const SAMPLERS = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const;

const LOG_LEVELS = ['none', 'error', 'warn', 'info', 'debug', 'verbose', 'all'] as const;

/** What OpenTelemetry's specification has every SDK read, where no option of `start` says the same. */
export const OTEL_SETTINGS = {
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
} as const;
