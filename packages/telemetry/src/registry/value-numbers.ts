import type { Outcome } from '@curfew/context/spi';
import type { Reason } from '@curfew/context';
import { ATTRIBUTES } from './attributes';

// The numbers of the closed sets, as the registry lists them, so that hot code indexes and never compares.

function numbering<V extends string>(values: readonly V[]): Record<V, number> {
  return Object.fromEntries(values.map((value, index) => [value, index])) as Record<V, number>;
}

export const OUTCOME: Record<Outcome, number> = numbering(ATTRIBUTES['curfew.context.outcome'].values);
export const OUTCOMES = ATTRIBUTES['curfew.context.outcome'].values.length;

export const REASON: Record<Reason, number> = numbering(ATTRIBUTES['curfew.cancel.reason'].values);
/** The reason of a number. */
export const REASON_NAMES = ATTRIBUTES['curfew.cancel.reason'].values;
export const REASONS = ATTRIBUTES['curfew.cancel.reason'].values.length;

export const ORIGIN = numbering(ATTRIBUTES['curfew.cancel.origin'].values);
export const ORIGINS = ATTRIBUTES['curfew.cancel.origin'].values.length;

export const BOUNDARY = numbering(ATTRIBUTES['curfew.propagation.boundary'].values);
export const BOUNDARIES = ATTRIBUTES['curfew.propagation.boundary'].values.length;

export const DETECTED_BY = numbering(ATTRIBUTES['curfew.detected_by'].values);

export const INBOUND = numbering(ATTRIBUTES['curfew.propagation.outcome'].values);
export const INBOUNDS = ATTRIBUTES['curfew.propagation.outcome'].values.length;

export const BREAK = numbering(ATTRIBUTES['curfew.break.cause'].values);

export const BACKEND = numbering(ATTRIBUTES['curfew.backend.cancel.outcome'].values);
export const BACKENDS = ATTRIBUTES['curfew.backend.cancel.outcome'].values.length;

export const CLEANUP = numbering(ATTRIBUTES['curfew.cleanup.outcome'].values);

export const SYSTEM = numbering(ATTRIBUTES['db.system.name'].values);

export const LIMIT = numbering(ATTRIBUTES['curfew.sdk.limit'].values);
