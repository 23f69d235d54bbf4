import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ATTRIBUTES, INSTRUMENTS, SPANS } from '@curfew/telemetry';
import { parse } from 'yaml';
import { instrumentOf, metricsIn, panelsOf, problemsOf, type Dashboard, type Panel } from './dashboard-rules';

const GRAFANA = join(__dirname, '..', '..', 'grafana');
const files = readdirSync(join(GRAFANA, 'dashboards'));
const read = (file: string) =>
  JSON.parse(readFileSync(join(GRAFANA, 'dashboards', file), 'utf8')) as Dashboard;
const dashboards = files.map(read);

describe.each(files)('%s', (file) => {
  const dashboard = read(file);

  it('follows every rule', () => {
    expect(problemsOf(dashboard)).toEqual([]);
  });

  it('is called by its uid, in the schema that Grafana 10 to 13 take', () => {
    expect(file).toBe(`${dashboard.uid}.json`);
    expect(dashboard.schemaVersion).toBe(42);
    expect(dashboard.tags).toContain('curfew');
  });

  it('marks restarts, when counters start anew', () => {
    expect(dashboard.annotations.list.map((it) => it.name)).toContain('Restarts');
  });

  it('fills its rows to their full width', () => {
    const widths = new Map<number, number>();
    for (const { gridPos } of panelsOf(dashboard))
      widths.set(gridPos.y, (widths.get(gridPos.y) ?? 0) + gridPos.w);
    expect([...widths.values()].filter((width) => width !== 24)).toEqual([]);
  });

  it('leads to traces by names and values that spans have', () => {
    const links = panelsOf(dashboard).flatMap((it) => it.fieldConfig?.defaults.links ?? []);
    expect(links.length).toBeGreaterThan(0);
    for (const { url } of links) {
      const query = /"query":"(.*?)(?<!\\)"/.exec(decodeURIComponent(url))?.[1]?.replaceAll('\\"', '"') ?? '';
      // Grafana replaces variables in the address as it is: encoded they would stay what they are.
      expect(decodeURIComponent(url)).toContain('"datasource":"${traces}"');
      expect(url).not.toMatch(/%24%7B/i);
      for (const [, key] of query.matchAll(/span\.([\w.]+)/g)) expect(Object.keys(ATTRIBUTES)).toContain(key);
      for (const [, name] of query.matchAll(/(?<![.\w])name = "([^"]+)"/g))
        expect(Object.values(SPANS)).toContain(name);
    }
  });
});

it('shows every instrument on some panel', () => {
  const expressions = dashboards.flatMap((it) => [
    ...panelsOf(it).flatMap((panel) => panel.targets ?? []),
    ...it.annotations.list.map((annotation) => ({ expr: annotation.expr ?? '' })),
  ]);
  const shown = new Set(
    expressions.flatMap(({ expr }) => metricsIn(expr)).map((name) => instrumentOf(name)?.name),
  );
  const missing = Object.values(INSTRUMENTS).filter((it) => !shown.has(it.name));
  expect(missing.map((it) => it.name)).toEqual([]);
});

describe('the provisioning', () => {
  const yaml = <T>(path: string) => parse(readFileSync(join(GRAFANA, 'provisioning', path), 'utf8')) as T;

  it('finds the dashboards where compose mounts them', () => {
    const { providers } = yaml<{ providers: { options: { path: string }; allowUiUpdates: boolean }[] }>(
      'dashboards/curfew.yaml',
    );
    const compose = readFileSync(join(GRAFANA, '..', 'docker-compose.yml'), 'utf8');
    expect(providers).toHaveLength(1);
    expect(compose).toContain(`./grafana/dashboards:${providers[0]?.options.path}:ro`);
    expect(providers[0]?.allowUiUpdates).toBe(false);
  });

  it('links metrics to traces and back, between data sources that exist', () => {
    const { datasources } = yaml<{ datasources: { uid: string; type: string; jsonData: object }[] }>(
      'datasources/curfew.yaml',
    );
    const uids = datasources.map((it) => it.uid);
    const referred = [...JSON.stringify(datasources).matchAll(/"datasourceUid":"([^"]+)"/g)].map(
      (match) => match[1],
    );
    expect(datasources.map((it) => it.type).sort()).toEqual(['prometheus', 'tempo']);
    expect(new Set(referred)).toEqual(new Set(uids));
    for (const metric of metricsIn(JSON.stringify(datasources))) expect(instrumentOf(metric)).toBeDefined();
  });
});

describe('the rules themselves', () => {
  const [dashboard] = dashboards as [Dashboard];
  const [first] = panelsOf(dashboard) as [Panel];
  const withPanel = (change: object) => ({
    ...dashboard,
    panels: dashboard.panels.map((it) => (it === first ? { ...it, ...change } : it)),
  });
  const withQuery = (expr: string) => withPanel({ targets: [{ ...first.targets?.[0], expr }] });
  const chosen = 'job=~"$job",instance=~"$instance"';

  it.each<[string, Dashboard, RegExp]>([
    ['a panel without description', withPanel({ description: '' }), /no description/],
    ['a misspelt unit', withPanel({ fieldConfig: { defaults: { unit: 'secs' } } }), /unit secs/],
    ['a missing legend', withPanel({ type: 'timeseries', options: {} }), /no legend/],
    ['a fixed data source', withPanel({ datasource: { uid: 'prometheus' } }), /not of the chosen/],
    ['an id given twice', withPanel({ id: dashboard.panels.at(-1)?.id }), /two panels/],
    ['panels on top of one another', withPanel({ gridPos: panelsOf(dashboard)[1]?.gridPos }), /overlap/],
    [
      'a metric that nobody yields',
      withQuery(`rate(curfew_context_endings_total{${chosen}}[$__range])`),
      /no instrument/,
    ],
    [
      'a label that the metric has not',
      withQuery(`sum by (curfew_cancel_origin) (rate(curfew_context_ended_total{${chosen}}[$__range]))`),
      /has no label curfew_cancel_origin/,
    ],
    ['a fixed window', withQuery(`rate(curfew_context_ended_total{${chosen}}[5m])`), /fixed window 5m/],
    ['a counter without a rate', withQuery(`curfew_context_ended_total{${chosen}}`), /is not read as a rate/],
    ['a rate of a gauge', withQuery(`rate(curfew_orphan_active{${chosen}}[$__range])`), /is read as a rate/],
    [
      'a query over every job',
      withQuery('curfew_orphan_active{instance=~"$instance"}'),
      /ignores the chosen job/,
    ],
    ['a dashboard that can be edited', { ...dashboard, editable: true }, /editable/],
    ['a missing variable', { ...dashboard, templating: { list: [] } }, /no variable job/],
  ])('report %s', (_, wrong, problem) => {
    expect(problemsOf(wrong).join('\n')).toMatch(problem);
  });
});
