import { INSTRUMENTS, prometheusLabel, prometheusName, type Instrument } from '@curfew/telemetry';

/** A classic dashboard, as far as it is checked here. */
export interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly editable: boolean;
  readonly schemaVersion: number;
  readonly tags: readonly string[];
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly Variable[] };
  readonly annotations: { readonly list: readonly { readonly name: string; readonly expr?: string }[] };
}

export interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly datasource?: { readonly uid: string };
  readonly targets?: readonly Target[];
  readonly fieldConfig?: {
    readonly defaults: { readonly unit?: string; readonly links?: readonly { url: string }[] };
  };
  readonly options?: { readonly legend?: { readonly showLegend?: boolean; readonly show?: boolean } };
}

export interface Target {
  readonly expr: string;
  readonly legendFormat: string;
  readonly datasource?: { readonly uid: string };
}

interface Variable {
  readonly name: string;
  readonly type: string;
  readonly label?: string;
  readonly multi?: boolean;
  readonly allValue?: string;
  readonly refresh?: number;
  readonly datasource?: { readonly uid: string };
}

const DATASOURCE = '${datasource}';

/** Units of Grafana that the dashboards use, so that a misspelt one, which Grafana shows as text, is found. */
const UNITS = ['s', 'ops', 'reqps', 'percentunit', 'none', 'short'];

/** Panels that show figures by colour or by place, and have no names to list. */
const WITHOUT_LEGEND = ['stat', 'table'];

const SCRAPE_LABELS = ['job', 'instance', 'le'];

const instruments: readonly Instrument[] = Object.values(INSTRUMENTS);

/** Every series that a scrape yields, with its instrument. */
const SERIES: ReadonlyMap<string, Instrument> = new Map(
  instruments.flatMap((it) =>
    (it.kind === 'histogram' ? ['_bucket', '_sum', '_count'] : ['']).map(
      (end) => [prometheusName(it) + end, it] as const,
    ),
  ),
);

export const panelsOf = (dashboard: Dashboard): Panel[] => dashboard.panels.filter((it) => it.type !== 'row');

/** The metrics that an expression reads. */
export const metricsIn = (expr: string): string[] =>
  [...expr.matchAll(/\bcurfew_\w+(?=\{)/g)].map((match) => match[0]);

export const instrumentOf = (series: string): Instrument | undefined => SERIES.get(series);

/** What dashboard-linter asks of a dashboard, without exceptions, and what Curfew asks beyond that. */
export function problemsOf(dashboard: Dashboard): string[] {
  return [
    ...variables(dashboard),
    ...(dashboard.editable ? ['it is editable: what is changed in the browser would be lost'] : []),
    ...ids(dashboard),
    ...overlaps(dashboard),
    ...panelsOf(dashboard).flatMap((panel) =>
      panelProblems(panel).map((it) => `${panel.id} ${panel.title}: ${it}`),
    ),
  ];
}

function variables({ templating }: Dashboard): string[] {
  const found = (name: string) => templating.list.find((it) => it.name === name);
  const problems: string[] = [];
  const source = found('datasource');
  if (source?.type !== 'datasource' || source.label !== 'Data Source')
    problems.push('no variable "Data Source"');
  for (const name of ['job', 'instance']) {
    const it = found(name);
    if (it === undefined) problems.push(`no variable ${name}`);
    else if (!it.multi || it.allValue !== '.+')
      problems.push(`variable ${name}: several must be possible, and all be ".+"`);
    else if (it.refresh !== 2) problems.push(`variable ${name}: does not follow the time range`);
    else if (it.datasource?.uid !== DATASOURCE)
      problems.push(`variable ${name}: not of the chosen data source`);
  }
  return problems;
}

function ids({ panels }: Dashboard): string[] {
  const seen = panels.map((it) => it.id);
  return seen
    .filter((id, index) => id === undefined || seen.indexOf(id) !== index)
    .map((id) => `two panels ${id}`);
}

function overlaps(dashboard: Dashboard): string[] {
  const panels = [...dashboard.panels];
  return panels.flatMap((a, index) =>
    panels
      .slice(index + 1)
      .filter((b) => cross(a.gridPos, b.gridPos))
      .map((b) => `panels ${a.id} and ${b.id} overlap`),
  );
}

function cross(a: Panel['gridPos'], b: Panel['gridPos']): boolean {
  return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
}

function panelProblems(panel: Panel): string[] {
  const problems: string[] = [];
  const unit = panel.fieldConfig?.defaults.unit;
  if (!panel.title) problems.push('no title');
  if (!panel.description || panel.description.length < 40) problems.push('no description worth the name');
  if (unit === undefined || !UNITS.includes(unit)) problems.push(`unit ${unit}`);
  if (panel.datasource?.uid !== DATASOURCE) problems.push('not of the chosen data source');
  if (!panel.targets?.length) problems.push('no query');
  const legend = panel.options?.legend;
  if (!WITHOUT_LEGEND.includes(panel.type) && !legend?.showLegend && !legend?.show)
    problems.push('no legend');
  return [...problems, ...(panel.targets ?? []).flatMap(targetProblems)];
}

function targetProblems({ expr, legendFormat, datasource }: Target): string[] {
  const problems: string[] = [];
  if (datasource?.uid !== DATASOURCE) problems.push('a query not of the chosen data source');
  if (!legendFormat) problems.push('a query whose curves have no name');
  if (metricsIn(expr).length === 0) problems.push(`a query without a metric of ours: ${expr}`);
  for (const [, name = '', matchers = ''] of expr.matchAll(/\b(curfew_\w+)\{([^}]*)\}/g)) {
    problems.push(...seriesProblems(expr, name, matchers));
  }
  for (const [, window] of expr.matchAll(/\[([^\]]+)\]/g)) {
    if (window !== '$__rate_interval' && window !== '$__range') problems.push(`a fixed window ${window}`);
  }
  return problems;
}

function seriesProblems(expr: string, name: string, matchers: string): string[] {
  const instrument = instrumentOf(name);
  if (instrument === undefined) return [`no instrument yields ${name}`];
  const problems: string[] = [];
  const labels = [...SCRAPE_LABELS, ...instrument.attributes.map(prometheusLabel)];
  const used = [...matchers.matchAll(/(\w+)\s*[=!]/g), ...groupings(expr).matchAll(/(\w+)/g)].map(
    (match) => match[1] ?? '',
  );
  for (const label of used) if (!labels.includes(label)) problems.push(`${name} has no label ${label}`);
  for (const variable of ['job', 'instance']) {
    if (!matchers.includes(`${variable}=~"$${variable}"`))
      problems.push(`${name} ignores the chosen ${variable}`);
  }
  const counted = instrument.kind !== 'gauge';
  const rated = new RegExp(`(rate|increase)\\(${name}\\{`).test(expr);
  if (counted !== rated)
    problems.push(`${name} is a ${instrument.kind} and ${rated ? 'is' : 'is not'} read as a rate`);
  return problems;
}

/** The labels of every `by (…)` of an expression. */
const groupings = (expr: string): string =>
  [...expr.matchAll(/\bby \(([^)]*)\)/g)].map((match) => match[1]).join(' ');
