import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import type { Panel } from '@grafana/grafana-foundation-sdk/dashboard';

/** Panels that answer one question. Ids are fixed: a row has the hundreds, its panels count on from there. */
export interface Row {
  readonly id: number;
  readonly title: string;
  readonly panels: readonly Builder<Panel>[];
}
