/** How an attribute's values are bounded. */
export type Domain =
  /** A closed set: the core's own, or telemetry's. */
  | { readonly values: readonly string[] }
  /** Those that are known, and so many more as users or adapters bring; beyond, `_OTHER`, counted under `limit`. */
  | {
      readonly values: readonly string[];
      readonly more: number | 'maxNames' | 'maxKinds';
      readonly limit: 'name' | 'kind' | 'source' | 'value';
    };

/** What adapters of today tell; one that is written tomorrow brings values of its own, and they keep their names. */
function toldByAdapters<const V extends string>(...values: V[]) {
  return { values, more: 8, limit: 'value' } as const;
}

/** Every attribute key with its domain. */
export const ATTRIBUTES = {
  'curfew.context.name': { values: [], more: 'maxNames', limit: 'name' },
  'curfew.context.outcome': { values: ['completed', 'canceled', 'deadline_exceeded'] },
  'curfew.cancel.reason': { values: ['canceled', 'deadline_exceeded'] },
  'curfew.cancel.origin': toldByAdapters(
    'caller',
    'deadline',
    'client_disconnect',
    'remote_deadline',
    'remote_cancel',
    'shutdown',
    'sibling_failed',
    'signal',
    // Never on a metric: a cancellation is counted by the node that it started at. Spans carry it.
    'parent',
  ),
  'curfew.propagation.boundary': toldByAdapters('in_process', 'http', 'grpc', 'connect'),
  'curfew.operation.kind': { values: [], more: 'maxKinds', limit: 'kind' },
  'curfew.detected_by': { values: ['timer', 'check'] },
  'curfew.source': { values: [], more: 12, limit: 'source' },
  'curfew.propagation.outcome': toldByAdapters('ok', 'none', 'malformed', 'too_large', 'clock_skew'),
  'curfew.break.cause': toldByAdapters('background', 'todo', 'root_span'),
  'db.system.name': toldByAdapters('postgresql'),
  'curfew.backend.cancel.outcome': toldByAdapters('canceled', 'completed', 'failed', 'timed_out'),
  'curfew.cleanup.outcome': toldByAdapters('completed', 'failed', 'timed_out'),
  'curfew.sdk.limit': { values: ['name', 'kind', 'source', 'span', 'value'] },
  'curfew.version': { values: [] },
} as const satisfies Record<string, Domain>;

export type AttributeKey = keyof typeof ATTRIBUTES;

/** The attributes whose values users and adapters bring. */
export type OpenAttributeKey = {
  [K in AttributeKey]: (typeof ATTRIBUTES)[K] extends { readonly more: unknown } ? K : never;
}[AttributeKey];

/** What stands for every value beyond a cap. */
export const OTHER = '_OTHER';

/** What stands for a context or operation that was given no name. */
export const UNNAMED = 'unnamed';
