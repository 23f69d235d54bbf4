import type { AttributeKey, ATTRIBUTES } from '@curfew/telemetry';
import type { DynamicConfigValue } from '@grafana/grafana-foundation-sdk/dashboard';

/** The data source that the viewer chooses, for panels and variables alike. */
export const METRICS = { type: 'prometheus', uid: '${datasource}' } as const;

/** The tag that links Curfew's dashboards to one another. */
export const TAG = 'curfew';

/** The values of an attribute whose set is closed. */
export type ValueOf<K extends keyof typeof ATTRIBUTES> = (typeof ATTRIBUTES)[K] extends {
  values: readonly (infer V extends string)[];
}
  ? V
  : never;

const OUTCOME: Record<ValueOf<'curfew.context.outcome'>, string> = {
  completed: 'green',
  canceled: 'blue',
  deadline_exceeded: 'orange',
};

const ORIGIN: Record<ValueOf<'curfew.cancel.origin'>, string> = {
  caller: 'blue',
  client_disconnect: 'light-blue',
  remote_cancel: 'purple',
  deadline: 'orange',
  remote_deadline: 'light-orange',
  sibling_failed: 'red',
  shutdown: 'yellow',
  signal: 'super-light-green',
  parent: 'text',
};

const HEADER: Record<ValueOf<'curfew.propagation.outcome'>, string> = {
  ok: 'green',
  none: 'text',
  malformed: 'red',
  too_large: 'orange',
  clock_skew: 'purple',
};

/** The same thing has the same colour on every panel: a glance is enough. */
export const COLOURS = {
  'curfew.context.outcome': OUTCOME,
  'curfew.cancel.reason': OUTCOME,
  'curfew.cancel.origin': ORIGIN,
  'curfew.propagation.outcome': HEADER,
} as const satisfies Partial<Record<AttributeKey, Readonly<Record<string, string>>>>;

/** What says of a series by its name which colour it has. */
export const colour = (fixedColor: string): DynamicConfigValue => ({
  id: 'color',
  value: { mode: 'fixed', fixedColor },
});
