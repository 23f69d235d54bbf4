import { wrongType } from '@curfew/context/spi';
import { checkTelemetryOptions } from '@curfew/telemetry/options';
import type { SpanProcessor } from '@opentelemetry/sdk-trace-node';
import type { IMetricReader } from '@opentelemetry/sdk-metrics';
import { port, text, type Values } from './kinds';
import { START_SETTINGS } from './start-settings';
import type { Settings } from './settings';
import { TELEMETRY_SETTINGS, type TelemetryValues } from './telemetry-settings';

/**
 * What `start` takes: what this package declares in `start-settings.ts` and telemetry in its options, by the same names, and
 * what no variable can say. Whatever is given here comes before the environment variable of the same meaning.
 */
export interface StartOptions extends SettingOptions, Partial<TelemetryValues> {
  /** More attributes of the resource, beside those of `OTEL_RESOURCE_ATTRIBUTES`. */
  readonly resource?: Readonly<Record<string, string | number | boolean>>;
  /** Where `/metrics` listens, `false` for no endpoint: `OTEL_EXPORTER_PROMETHEUS_HOST` and `_PORT`. */
  readonly prometheus?: false | { readonly host?: string; readonly port?: number };
  /** More span processors, beside Curfew's and the exporters'. */
  readonly spanProcessors?: readonly SpanProcessor[];
  /** More metric readers. They do not see Curfew's metrics unless they have `telemetry.producer()`. */
  readonly metricReaders?: readonly IMetricReader[];
}

type StartValues = Values<typeof START_SETTINGS>;
type SettingOptions = { readonly [K in keyof StartValues]?: NonNullable<StartValues[K]> };

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
  check(options);
  const { resource, prometheus, spanProcessors = [], metricReaders = [] } = options;
  return {
    ...settings,
    ...given(options),
    ...(prometheus === undefined ? {} : withPrometheus(settings, prometheus)),
    resourceAttributes: { ...settings.resource, ...resource },
    spanProcessors,
    metricReaders,
  };
}

/** The options that are settings, as far as they are given. */
function given(options: StartOptions): Partial<Settings> {
  const names = [
    ...Object.keys(START_SETTINGS),
    ...Object.keys(TELEMETRY_SETTINGS),
  ] as (keyof StartOptions)[];
  return Object.fromEntries(
    names.flatMap((name) => (options[name] === undefined ? [] : [[name, options[name]]])),
  );
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

function check(options: StartOptions): void {
  checkObject(options, 'options');
  for (const [name, { kind }] of Object.entries(START_SETTINGS)) {
    const value = options[name as keyof typeof START_SETTINGS];
    if (value !== undefined) kind.check(value, `options.${name}`);
  }
  checkTelemetryOptions(options);
  const { resource = {}, prometheus = false, spanProcessors = [], metricReaders = [] } = options;
  checkObject(resource, 'options.resource');
  for (const [key, value] of Object.entries<unknown>(resource)) {
    if (!['string', 'number', 'boolean'].includes(typeof value)) {
      throw wrongType(`options.resource['${key}']`, 'a string, a number or a boolean', value);
    }
  }
  if (prometheus !== false) {
    checkObject(prometheus, 'options.prometheus', 'an object or false');
    if (prometheus.host !== undefined) text.check(prometheus.host, 'options.prometheus.host');
    if (prometheus.port !== undefined) port.check(prometheus.port, 'options.prometheus.port');
  }
  checkArray(spanProcessors, 'options.spanProcessors');
  checkArray(metricReaders, 'options.metricReaders');
}

function checkObject(value: unknown, name: string, expected = 'an object'): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw wrongType(name, expected, value);
}

function checkArray(value: unknown, name: string): void {
  if (!Array.isArray(value)) throw wrongType(name, 'an array', value);
}
