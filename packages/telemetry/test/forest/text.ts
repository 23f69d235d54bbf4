import { bucketKey, type Samples } from './tally';

/** The families as Prometheus knows them: what the registry derives, written down a second time. */
const PROMETHEUS: Readonly<Record<string, string>> = {
  curfew_context_active: 'curfew.context.active',
  curfew_context_ended_total: 'curfew.context.ended',
  curfew_context_duration_seconds: 'curfew.context.duration',
  curfew_context_cancellations_total: 'curfew.context.cancellations',
  curfew_cancel_fanout: 'curfew.cancel.fanout',
  curfew_cancel_propagation_duration_seconds: 'curfew.cancel.propagation.duration',
  curfew_cancel_settle_duration_seconds: 'curfew.cancel.settle.duration',
  curfew_cancel_observed_total: 'curfew.cancel.observed',
  curfew_operation_active: 'curfew.operation.active',
  curfew_orphan_active: 'curfew.orphan.active',
  curfew_orphan_operations_total: 'curfew.orphan.operations',
  curfew_orphan_time_seconds_total: 'curfew.orphan.time',
  curfew_context_lingering: 'curfew.context.lingering',
  curfew_context_oldest_age_seconds: 'curfew.context.oldest.age',
  curfew_deadline_lateness_seconds: 'curfew.deadline.lateness',
  curfew_deadline_remaining_seconds: 'curfew.deadline.remaining',
  curfew_deadline_rejections_total: 'curfew.deadline.rejections',
  curfew_propagation_inbound_total: 'curfew.propagation.inbound',
  curfew_chain_breaks_total: 'curfew.chain.breaks',
  curfew_backend_cancel_duration_seconds: 'curfew.backend.cancel.duration',
  curfew_context_lost_total: 'curfew.context.lost',
  curfew_cleanup_duration_seconds: 'curfew.cleanup.duration',
  curfew_sdk_overflows_total: 'curfew.sdk.overflows',
  curfew_sdk_guarded_total: 'curfew.sdk.guarded',
  curfew_sdk_hook_errors_total: 'curfew.sdk.hook.errors',
  curfew_process_start_time_seconds: 'curfew.process.start.time',
  curfew_build_info: 'curfew.build.info',
};

/** All of them. */
export const FAMILIES: readonly string[] = Object.values(PROMETHEUS);

/** Name, labels, value; a timestamp or an exemplar may follow. */
const SAMPLE = /^([a-zA-Z_:][\w:]*)(?:\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\})? (\S+)(?: .*)?$/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;
const PART = /_(bucket|sum|count)$/;

/** Reads the figures of Curfew from an exposition, in Prometheus' text format or as OpenMetrics. */
export function readExposition(text: string): Samples {
  const samples = new Map<string, number>();
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#') || line.startsWith('target_info')) continue;
    const match = SAMPLE.exec(line);
    if (match === null) throw new Error(`not a sample: ${line}`);
    const [, name = '', inBraces = '', value = ''] = match;
    const key = keyOf(name, inBraces);
    if (samples.has(key)) throw new Error(`told twice: ${key}`);
    samples.set(key, Number(value));
  }
  return samples;
}

function keyOf(name: string, inBraces: string): string {
  const part = PROMETHEUS[name] === undefined ? PART.exec(name)?.[1] : undefined;
  const family = PROMETHEUS[part === undefined ? name : name.replace(PART, '')];
  if (family === undefined) throw new Error(`nothing is known of ${name}`);
  let bound: number | undefined;
  const labels: Record<string, string> = {};
  for (const [, label = '', value = ''] of inBraces.matchAll(LABEL)) {
    // OpenTelemetry's exporter adds who measured.
    if (label.startsWith('otel_scope_')) continue;
    if (label === 'le') bound = value === '+Inf' ? Infinity : Number(value);
    else labels[label] = value.replace(/\\(.)/g, (_, escaped) => (escaped === 'n' ? '\n' : escaped));
  }
  const key = labelsKey(labels);
  if (part === 'bucket' && bound !== undefined) return bucketKey(family, key, bound);
  return part === undefined ? `${family}{${key}}` : `${family}_${part}{${key}}`;
}

/** Labels as every key spells them: sorted, with underscores. */
export function labelsKey(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([label, value]): [string, string] => [label.replaceAll('.', '_'), value])
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([label, value]) => `${label}=${JSON.stringify(value)}`)
    .join(',');
}
