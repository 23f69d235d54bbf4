import { SPANS, type AttributeKey } from '@curfew/telemetry';
import { DashboardLinkBuilder } from '@grafana/grafana-foundation-sdk/dashboard';
import type { ValueOf } from './style';

const REASON = 'curfew.cancel.reason' satisfies AttributeKey;

/**
 * A link from a series or a row to the traces behind it. The variables in it are replaced when it is clicked, so they
 * must survive the encoding of the address.
 */
export function tracesLink(title: string, traceql: string): DashboardLinkBuilder {
  const pane = {
    datasource: '${traces}',
    queries: [
      { refId: 'A', queryType: 'traceql', query: traceql, limit: 20, datasource: { uid: '${traces}' } },
    ],
    range: { from: '${__from}', to: '${__to}' },
  };
  const encoded = encodeURIComponent(JSON.stringify({ curfew: pane })).replace(
    /%24%7B(.*?)%7D/g,
    (_, name: string) => '${' + decodeURIComponent(name) + '}',
  );
  return new DashboardLinkBuilder(title).url(`/explore?schemaVersion=1&panes=${encoded}`).targetBlank(true);
}

/** The service of a series is its job: that of a scrape, and what OTLP makes of `service.name`. */
const OF_SERIES = 'resource.service.name = "${__field.labels.job}"';
const OF_ROW = 'resource.service.name = "${__data.fields.job}"';

/** Spans that were open when their context ended for this reason. */
export const endedBy = (reason: ValueOf<'curfew.cancel.reason'>): string =>
  `{ ${OF_SERIES} && span.${REASON} = "${reason}" }`;

/** Every span that was open when its context ended, in the service of a table's row. */
export const ENDED_IN_ROW = `{ ${OF_ROW} && span.${REASON} != nil }`;

/** Traces in which work outlived its context. */
export const ORPHANS = `{ ${OF_SERIES} && name = "${SPANS.orphan}" }`;
