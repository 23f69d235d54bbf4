/** A Collector's configuration, as far as its structure is checked here. */
export interface CollectorConfig {
  readonly extensions?: Components;
  readonly receivers?: Components;
  readonly processors?: Components;
  readonly connectors?: Components;
  readonly exporters?: Components;
  readonly service: {
    readonly extensions?: readonly string[];
    readonly telemetry?: { readonly metrics?: Readonly<Record<string, unknown>> };
    readonly pipelines: Readonly<Record<string, Pipeline>>;
  };
}

export type Components = Readonly<Record<string, unknown>>;

interface Pipeline {
  readonly receivers: readonly string[];
  readonly processors?: readonly string[];
  readonly exporters: readonly string[];
}

const KINDS = ['extensions', 'receivers', 'processors', 'connectors', 'exporters'] as const;

/** What this version of the contrib distribution has, of all that Curfew's configurations could want. */
const KNOWN: Readonly<Record<(typeof KINDS)[number], readonly string[]>> = {
  extensions: ['health_check', 'pprof', 'zpages', 'file_storage'],
  receivers: ['otlp', 'prometheus', 'host_metrics'],
  processors: [
    'memory_limiter',
    'filter',
    'tail_sampling',
    'resource_detection',
    'resource',
    'attributes',
    'transform',
  ],
  connectors: ['forward', 'span_metrics', 'service_graph', 'count', 'routing'],
  exporters: [
    'otlp_grpc',
    'otlp_http',
    'prometheus',
    'prometheus_remote_write',
    'load_balancing',
    'debug',
    'file',
  ],
};

/** Names and settings that still work with a warning, or are ignored without one. */
const DEPRECATED: readonly (readonly [path: RegExp, instead: string])[] = [
  [/^exporters\.logging\b/, 'debug'],
  [/^exporters\.otlp(\/[^.]*)?$/, 'otlp_grpc'],
  [/^exporters\.otlphttp\b/, 'otlp_http'],
  [/^exporters\.loadbalancing\b/, 'load_balancing'],
  [/^exporters\.prometheusremotewrite\b/, 'prometheus_remote_write'],
  [/^connectors\.spanmetrics\b/, 'span_metrics'],
  [/^connectors\.servicegraph\b/, 'service_graph'],
  [/^processors\.resourcedetection\b/, 'resource_detection'],
  [/^receivers\.hostmetrics\b/, 'host_metrics'],
  [/^processors\.batch\b/, 'sending_queue.batch of the exporter'],
  [/^processors\.filter(\/[^.]*)?\.(traces|spans)$/, 'trace_conditions'],
  [/^processors\.filter(\/[^.]*)?\.(metrics|logs)$/, 'metric_conditions, log_conditions'],
  [/^exporters\.[^.]+\.batcher$/, 'sending_queue.batch'],
  [/\.sending_queue\.blocking$/, 'block_on_overflow'],
  [/\.add_metric_suffixes$/, 'translation_strategy'],
  [/\.resource_to_telemetry_conversion$/, 'resource_constant_labels'],
  [/\.invert_match$/, 'a policy of type drop or not'],
  [/\.dimensions_cache_size$/, 'aggregation_cardinality_limit'],
  [/^service\.telemetry\.metrics\.address$/, 'readers'],
];

/** Everything that `otelcol validate` would find without starting, and what it only warns of. */
export function problemsOf(config: CollectorConfig): string[] {
  return [
    ...undefinedMembers(config),
    ...unusedComponents(config),
    ...unknown(config),
    ...deprecated(config),
    ...order(config),
  ];
}

const type = (id: string) => id.split('/')[0] ?? id;

function undefinedMembers(config: CollectorConfig): string[] {
  const receivers = { ...config.receivers, ...config.connectors };
  const exporters = { ...config.exporters, ...config.connectors };
  const missing = (where: string, ids: readonly string[] | undefined, defined: Components | undefined) =>
    (ids ?? []).filter((id) => !(id in (defined ?? {}))).map((id) => `${where}: ${id} is not defined`);
  return [
    ...missing('service.extensions', config.service.extensions, config.extensions),
    ...Object.entries(config.service.pipelines).flatMap(([name, pipeline]) => [
      ...missing(`${name}.receivers`, pipeline.receivers, receivers),
      ...missing(`${name}.processors`, pipeline.processors, config.processors),
      ...missing(`${name}.exporters`, pipeline.exporters, exporters),
    ]),
  ];
}

function unusedComponents(config: CollectorConfig): string[] {
  const pipelines = Object.values(config.service.pipelines);
  const from = new Set(pipelines.flatMap((it) => it.receivers));
  const into = new Set(pipelines.flatMap((it) => it.exporters));
  const through = new Set(pipelines.flatMap((it) => it.processors ?? []));
  const used = {
    extensions: (id: string) => config.service.extensions?.includes(id) ?? false,
    receivers: (id: string) => from.has(id),
    processors: (id: string) => through.has(id),
    // A connector ends one pipeline and starts another; with one end loose the Collector does not start.
    connectors: (id: string) => from.has(id) && into.has(id),
    exporters: (id: string) => into.has(id),
  };
  return KINDS.flatMap((kind) =>
    Object.keys(config[kind] ?? {})
      .filter((id) => !used[kind](id))
      .map((id) => `${kind}: ${id} is not used`),
  );
}

function unknown(config: CollectorConfig): string[] {
  return KINDS.flatMap((kind) =>
    Object.keys(config[kind] ?? {})
      .filter((id) => !KNOWN[kind].includes(type(id)))
      .map((id) => `${kind}: no component is called ${type(id)}`),
  );
}

function deprecated(config: CollectorConfig): string[] {
  return pathsOf(config).flatMap((path) =>
    DEPRECATED.filter(([old]) => old.test(path)).map(
      ([, instead]) => `${path} is deprecated: use ${instead}`,
    ),
  );
}

/** Refusing data has to come before holding any, wherever data enters from outside. */
function order(config: CollectorConfig): string[] {
  return Object.entries(config.service.pipelines)
    .filter(([, pipeline]) => pipeline.receivers.some((id) => id in (config.receivers ?? {})))
    .filter(([, pipeline]) => type(pipeline.processors?.[0] ?? '') !== 'memory_limiter')
    .map(([name]) => `${name}: memory_limiter is not its first processor`);
}

function pathsOf(value: unknown, prefix = ''): string[] {
  if (Array.isArray(value)) return value.flatMap((it) => pathsOf(it, prefix));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => {
    const path = prefix === '' ? key : `${prefix}.${key}`;
    return [path, ...pathsOf(inner, path)];
  });
}
