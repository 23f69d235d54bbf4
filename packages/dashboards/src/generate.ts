import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { datasources } from './datasources';
import { overview } from './overview';
import { telemetryReadme } from './telemetry-readme';

/** Every generated file, by its path in the repository. */
const FILES: Readonly<Record<string, () => string>> = {
  'grafana/dashboards/curfew-overview.json': () => `${JSON.stringify(overview(), null, 2)}\n`,
  'grafana/provisioning/datasources/curfew.yaml': datasources,
  'packages/telemetry/README.md': telemetryReadme,
};

// Into the repository, or below another folder to compare with it.
const root = resolve(process.argv[2] ?? join(__dirname, '..', '..', '..'));
for (const [path, make] of Object.entries(FILES)) {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, make());
  console.log(path);
}
