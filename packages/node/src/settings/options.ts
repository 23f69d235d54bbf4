import { MAX_DELAY } from '@curfew/context/spi';
import { allowedHosts } from '@curfew/propagation';
import type { SpanProcessor } from '@opentelemetry/sdk-trace-node';
import type { IMetricReader } from '@opentelemetry/sdk-metrics';
import type { Settings } from './settings';

/** What `start` takes. Whatever is given here comes before the environment variable of the same meaning. */
export interface StartOptions {
  /** The service in every trace and metric: `OTEL_SERVICE_NAME`. */
  readonly serviceName?: string;
  /** More attributes of the resource, beside those of `OTEL_RESOURCE_ATTRIBUTES`. */
  readonly resource?: Readonly<Record<string, string | number | boolean>>;
  /** `false` records what would be cancelled and cancels nothing: `CURFEW_ENFORCE`. */
  readonly enforce?: boolean;
  /** `false` takes the guard off `process.emit`, and calls and queries run on when their request ends: `CURFEW_GUARD`. */
  readonly guard?: boolean;
  /** Milliseconds: `CURFEW_ORPHAN_GRACE`. */
  readonly orphanGrace?: number;
  /** Milliseconds: `CURFEW_ORPHAN_REPORT_AFTER`. */
  readonly orphanReportAfter?: number;
  /** Milliseconds: `CURFEW_LINGER_AFTER`. */
  readonly lingerAfter?: number;
  /** `CURFEW_MAX_NAMES`. */
  readonly maxNames?: number;
  /** `CURFEW_MAX_KINDS`. */
  readonly maxKinds?: number;
  /** `CURFEW_DURATION_BY_NAME`. */
  readonly durationByName?: boolean;
  /** `CURFEW_CLEANUPS`. */
  readonly cleanups?: boolean;
  /** `CURFEW_LOST`. */
  readonly lost?: boolean;
  /** From 0 to 1: `CURFEW_CAPTURE_STACKS`. */
  readonly captureStacks?: number;
  /** `CURFEW_EVENTS`. */
  readonly events?: 'span' | 'log';
  /** The longest budget that a caller may bring, in milliseconds, `Infinity` for any: `CURFEW_MAX_TIMEOUT`. */
  readonly maxTimeout?: number;
  /** The server's own limit for every inbound HTTP request, in milliseconds: `CURFEW_REQUEST_TIMEOUT`. */
  readonly requestTimeout?: number;
  /** Who is told the remaining budget: `CURFEW_OUTBOUND_HOSTS`. */
  readonly outboundHosts?: readonly string[];
  /** Where `/metrics` listens, `false` for no endpoint: `OTEL_EXPORTER_PROMETHEUS_HOST` and `_PORT`. */
  readonly prometheus?: false | { readonly host?: string; readonly port?: number };
  /** More span processors, beside Curfew's and the exporters'. */
  readonly spanProcessors?: readonly SpanProcessor[];
  /** More metric readers. They do not see Curfew's metrics unless they have `telemetry.producer()`. */
  readonly metricReaders?: readonly IMetricReader[];
  /** The limit of a flush in milliseconds: `CURFEW_SHUTDOWN_TIMEOUT`. */
  readonly shutdownTimeout?: number;
}

/** The environment with the options laid over it. */
export interface Configuration extends Settings {
  readonly resourceAttributes: Readonly<Record<string, string | number | boolean>>;
  readonly spanProcessors: readonly SpanProcessor[];
  readonly metricReaders: readonly IMetricReader[];
}

/**
 * Lays the options over the environment.
 *
 * @throws TypeError or RangeError naming the option that is wrong.
 */
export function configure(settings: Settings, options: StartOptions): Configuration {
  const given = checked(options);
  const { prometheus } = given;
  return {
    ...settings,
    ...defined(given, [
      'serviceName',
      'enforce',
      'guard',
      'orphanGrace',
      'orphanReportAfter',
      'lingerAfter',
      'maxNames',
      'maxKinds',
      'durationByName',
      'cleanups',
      'lost',
      'captureStacks',
      'events',
      'maxTimeout',
      'requestTimeout',
      'outboundHosts',
      'shutdownTimeout',
    ] as const),
    ...(prometheus === undefined ? {} : withPrometheus(settings, prometheus)),
    resourceAttributes: { ...settings.resource, ...given.resource },
    spanProcessors: given.spanProcessors ?? [],
    metricReaders: given.metricReaders ?? [],
  };
}

function withPrometheus(
  settings: Settings,
  prometheus: Exclude<StartOptions['prometheus'], undefined>,
): Partial<Settings> {
  const others = (settings.metrics ?? defaultMetrics(settings)).filter((name) => name !== 'prometheus');
  if (prometheus === false) return { metrics: others };
  return {
    metrics: ['prometheus', ...others],
    prometheusHost: prometheus.host ?? settings.prometheusHost,
    prometheusPort: prometheus.port ?? settings.prometheusPort,
  };
}

/** Where metrics go unless said otherwise: OTLP needs somewhere to go to. */
export function defaultMetrics({ otlp }: Settings): readonly ('prometheus' | 'otlp')[] {
  return otlp.metrics.endpoint === undefined ? ['prometheus'] : ['prometheus', 'otlp'];
}

function defined<T extends object, const K extends keyof T>(
  from: T,
  keys: readonly K[],
): { [P in K]?: NonNullable<T[P]> } {
  return Object.fromEntries(keys.filter((key) => from[key] !== undefined).map((key) => [key, from[key]])) as {
    [P in K]?: NonNullable<T[P]>;
  };
}

function checked(options: unknown): StartOptions {
  if (!isRecord(options)) throw new TypeError(`options must be an object, got ${nameOf(options)}`);
  const { prometheus, outboundHosts } = options;
  aString(options, 'serviceName');
  if (options['serviceName'] === '') throw new RangeError('serviceName must not be empty');
  aRecord(options, 'resource');
  for (const [key, value] of Object.entries((options['resource'] as object | undefined) ?? {})) {
    if (!['string', 'number', 'boolean'].includes(typeof value)) {
      throw new TypeError(`resource['${key}'] must be a string, a number or a boolean, got ${nameOf(value)}`);
    }
  }
  for (const name of ['enforce', 'guard', 'durationByName', 'cleanups', 'lost']) aBoolean(options, name);
  aNumber(options, 'captureStacks', 0, 1);
  if (!['span', 'log', undefined].includes(options['events'] as string))
    throw new TypeError(`events must be 'span' or 'log', got ${String(options['events'])}`);
  for (const name of ['orphanGrace', 'orphanReportAfter', 'lingerAfter', 'maxTimeout'])
    aNumber(options, name, 0, Infinity);
  for (const name of ['maxNames', 'maxKinds']) aNumber(options, name, 1, 10_000, 'whole');
  for (const name of ['requestTimeout', 'shutdownTimeout']) aNumber(options, name, 1, MAX_DELAY);
  anArray(options, 'outboundHosts');
  if (outboundHosts !== undefined) allowedHosts(outboundHosts as string[]);
  if (prometheus !== undefined && prometheus !== false) {
    if (!isRecord(prometheus))
      throw new TypeError(`prometheus must be an object or false, got ${nameOf(prometheus)}`);
    aString(prometheus, 'host', 'prometheus.host');
    aNumber(prometheus, 'port', 0, 65_535, 'whole', 'prometheus.port');
  }
  anArray(options, 'spanProcessors');
  anArray(options, 'metricReaders');
  return options;
}

type Bag = Readonly<Record<string, unknown>>;

function isRecord(value: unknown): value is Bag {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function nameOf(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'an array' : typeof value;
}

function aString(bag: Bag, key: string, name = key): void {
  const value = bag[key];
  if (value !== undefined && typeof value !== 'string')
    throw new TypeError(`${name} must be a string, got ${nameOf(value)}`);
}

function aBoolean(bag: Bag, key: string): void {
  const value = bag[key];
  if (value !== undefined && typeof value !== 'boolean')
    throw new TypeError(`${key} must be true or false, got ${nameOf(value)}`);
}

function aRecord(bag: Bag, key: string): void {
  const value = bag[key];
  if (value !== undefined && !isRecord(value))
    throw new TypeError(`${key} must be an object, got ${nameOf(value)}`);
}

function anArray(bag: Bag, key: string): void {
  const value = bag[key];
  if (value !== undefined && !Array.isArray(value))
    throw new TypeError(`${key} must be an array, got ${nameOf(value)}`);
}

function aNumber(bag: Bag, key: string, least: number, most: number, form?: 'whole', name = key): void {
  const value = bag[key];
  if (value === undefined) return;
  if (typeof value !== 'number') throw new TypeError(`${name} must be a number, got ${nameOf(value)}`);
  const inside = value >= least && value <= most && (form === undefined || Number.isInteger(value));
  if (!inside) {
    const range = most === Infinity ? `${least} or more` : `from ${least} to ${most}`;
    throw new RangeError(
      `${name} must be ${form === undefined ? '' : 'a whole number '}${range}, got ${value}`,
    );
  }
}
