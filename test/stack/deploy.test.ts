import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';

// The programs that will read the configurations read them here.

const ROOT = join(__dirname, '..', '..');

function run(program: string, ...args: string[]): { status: number | null; output: string } {
  const result = spawnSync(program, args, { cwd: ROOT, encoding: 'utf8' });
  return { status: result.status, output: `${result.stdout}${result.stderr}` };
}

/** A test that needs a program, skipped with a reason where it is absent. */
function itWith(program: string): jest.It {
  if (spawnSync(program, ['--version']).status === 0) return it;
  console.log(`skipped: ${program} is not installed`);
  return it.skip;
}

itWith('docker-compose')('docker-compose accepts the file', () => {
  expect(run('docker-compose', '-f', 'docker-compose.yml', 'config', '-q')).toEqual({
    status: 0,
    output: '',
  });
});

describe('promtool', () => {
  const dir = mkdtempSync(join(tmpdir(), 'curfew-prometheus-'));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  itWith('promtool')('accepts the configuration of Prometheus', () => {
    const path = join(ROOT, 'grafana', 'prometheus', 'prometheus.yml');
    const config = parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
    // Debian's Prometheus 2.42 knows no OTLP; the rest is the same.
    if (/version 2\./.test(run('promtool', '--version').output)) delete config.otlp;
    const file = join(dir, 'prometheus.yml');
    writeFileSync(file, stringify(config));
    expect(run('promtool', 'check', 'config', file)).toMatchObject({ status: 0 });
  });
});

describe('the panels', () => {
  interface Panels {
    readonly panels: readonly {
      readonly id: number;
      readonly targets?: readonly { readonly expr: string }[];
    }[];
  }
  const dir = mkdtempSync(join(tmpdir(), 'curfew-panels-'));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  itWith('promtool')('ask questions that Prometheus can parse', () => {
    const folder = join(ROOT, 'grafana', 'dashboards');
    const expressions = readdirSync(folder)
      .map((file) => JSON.parse(readFileSync(join(folder, file), 'utf8')) as Panels)
      .flatMap((dashboard) => dashboard.panels)
      .flatMap((panel) =>
        (panel.targets ?? []).map(({ expr }, index) => ({ name: `panel:${panel.id}:${index}`, expr })),
      );
    // promtool parses expressions in rules only; what Grafana would fill in is filled in.
    const rules = expressions.map(({ name, expr }) => ({
      record: name,
      expr: expr.replaceAll('$__rate_interval', '1m').replaceAll('$__range', '1h').replaceAll(/\$\w+/g, '.+'),
    }));
    const file = join(dir, 'rules.yml');
    writeFileSync(file, stringify({ groups: [{ name: 'panels', rules }] }));
    expect(run('promtool', 'check', 'rules', file)).toEqual({
      status: 0,
      output: expect.stringContaining(`SUCCESS: ${rules.length} rules found`),
    });
  });
});
