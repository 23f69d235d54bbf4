import type { Reason } from '@curfew/context';
import type { Outcome } from '@curfew/context/spi';
import { ATTRIBUTES } from './attributes';

// The numbers of the closed sets, as the registry lists them, so that hot code indexes and never compares.

function numbering<V extends string>(values: readonly V[]): Record<V, number> {
  return Object.fromEntries(values.map((value, index) => [value, index])) as Record<V, number>;
}

export const OUTCOME: Record<Outcome, number> = numbering(ATTRIBUTES['curfew.context.outcome'].values);

export const REASON: Record<Reason, number> = numbering(ATTRIBUTES['curfew.cancel.reason'].values);
/** The reason of a number. */
export const REASON_NAMES = ATTRIBUTES['curfew.cancel.reason'].values;

export const DETECTED_BY = numbering(ATTRIBUTES['curfew.detected_by'].values);

export const LIMIT = numbering(ATTRIBUTES['curfew.sdk.limit'].values);
