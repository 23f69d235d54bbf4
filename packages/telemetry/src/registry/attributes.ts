/** How an attribute's values are bounded. */
export type Domain =
  /** A closed set. */
  | { readonly values: readonly string[] }
  /** Values that come from users or adapters, capped; what comes after is `_OTHER` and counted. */
  | { readonly dynamic: 'name' | 'kind' | 'source' };

const CANCEL_REASON: Domain = { values: ['canceled', 'deadline_exceeded'] };

/** Every attribute key with its domain. */
export const ATTRIBUTES = {
  'curfew.context.name': { dynamic: 'name' },
  'curfew.context.outcome': { values: ['completed', 'canceled', 'deadline_exceeded'] },
  'curfew.cancel.reason': CANCEL_REASON,
  'curfew.cancel.origin': {
    values: [
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
    ],
  },
  'curfew.propagation.boundary': { values: ['in_process', 'http', 'grpc', 'connect'] },
  'curfew.operation.kind': { dynamic: 'kind' },
  'curfew.detected_by': { values: ['timer', 'check'] },
  'curfew.source': { dynamic: 'source' },
  'curfew.propagation.outcome': { values: ['ok', 'none', 'malformed', 'too_large', 'clock_skew'] },
  'curfew.break.cause': { values: ['background', 'todo', 'root_span'] },
  'db.system.name': { values: ['postgresql', '_OTHER'] },
  'curfew.backend.cancel.outcome': { values: ['canceled', 'completed', 'failed', 'timed_out'] },
  'curfew.cleanup.outcome': { values: ['completed', 'failed', 'timed_out'] },
  'curfew.sdk.limit': { values: ['name', 'kind', 'source', 'span', 'value'] },
  'curfew.version': { values: [] as string[] },
} as const satisfies Record<string, Domain>;

export type AttributeKey = keyof typeof ATTRIBUTES;

/** What stands for every value beyond a cap. */
export const OTHER = '_OTHER';

/** What stands for a context or operation that was given no name. */
export const UNNAMED = 'unnamed';
