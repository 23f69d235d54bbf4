import {
  AnnotationQueryBuilder,
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  VariableRefresh,
  VariableSort,
  type Dashboard,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { INSTRUMENTS, prometheusName } from '@curfew/telemetry';
import { atAGlance } from './rows/at-a-glance';
import { delivery } from './rows/delivery';
import { deadlines } from './rows/deadlines';
import { health } from './rows/health';
import { leftovers } from './rows/leftovers';
import { onDemand } from './rows/on-demand';
import { outcomes } from './rows/outcomes';
import { series } from './query';
import type { Row } from './rows/row';
import { METRICS, TAG } from './style';

/** One page that answers: what was cancelled and why, how long the news took, what kept running. */
export function overview(): Dashboard {
  const dashboard = new DashboardBuilder('Curfew / Overview')
    .uid('curfew-overview')
    .description('Cancellation in your services: who cancelled, how long the news took, what kept running.')
    .tags([TAG])
    .readonly()
    .timezone('browser')
    .refresh('30s')
    .time({ from: 'now-1h', to: 'now' })
    .tooltip(DashboardCursorSync.Crosshair)
    .link(
      new DashboardLinkBuilder('Curfew')
        .type(DashboardLinkType.Dashboards)
        .tags([TAG])
        .asDropdown(true)
        .includeVars(true)
        .keepTime(true),
    )
    .withVariable(new DatasourceVariableBuilder('datasource').label('Data Source').type('prometheus'))
    .withVariable(new DatasourceVariableBuilder('traces').label('Traces').type('tempo'))
    .withVariable(chosen('job', 'Job', ''))
    .withVariable(chosen('instance', 'Instance', '{job=~"$job"}'))
    .annotation(
      new AnnotationQueryBuilder()
        .name('Restarts')
        .datasource(METRICS)
        .enable(true)
        .iconColor('blue')
        .expr(`changes(${series('startTime')}[$__interval]) > 0`)
        .titleFormat('Restart')
        .textFormat('{{job}} {{instance}}')
        .step('30s'),
    );
  for (const row of [atAGlance(), outcomes(), delivery(), leftovers(), deadlines(), health(), onDemand()])
    add(dashboard, row);
  return dashboard.build();
}

function add(dashboard: DashboardBuilder, row: Row): void {
  dashboard.withRow(new RowBuilder(row.title).id(row.id));
  for (const panel of row.panels) dashboard.withPanel(panel);
}

/** Built of the one metric that every process with Curfew has from its first moment on. */
function chosen(name: 'job' | 'instance', label: string, within: string): QueryVariableBuilder {
  const query = `label_values(${prometheusName(INSTRUMENTS.build)}${within}, ${name})`;
  return new QueryVariableBuilder(name)
    .label(label)
    .datasource(METRICS)
    .query({ query, refId: name })
    .definition(query)
    .multi(true)
    .includeAll(true)
    .allValue('.+')
    .current({ selected: true, text: ['All'], value: ['$__all'] })
    .sort(VariableSort.AlphabeticalAsc)
    .refresh(VariableRefresh.OnTimeRangeChanged);
}
