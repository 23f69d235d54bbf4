// Generated files are committed and must equal what the generator makes of the sources: nobody edits them by hand.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkedRoot, ROOT } from './workspace.mjs';

const root = checkedRoot();
const fresh = mkdtempSync(join(tmpdir(), 'curfew-generated-'));
try {
  const generator = join(ROOT, 'packages', 'dashboards', 'dist', 'generate.js');
  const run = spawnSync(process.execPath, [generator, fresh], { encoding: 'utf8' });
  if (run.status !== 0) throw new Error(run.stderr);
  const files = readdirSync(fresh, { recursive: true, withFileTypes: true }).filter((it) => it.isFile());
  if (files.length === 0) throw new Error('the generator wrote nothing');
  for (const file of files) {
    const made = join(file.parentPath, file.name);
    const name = made.slice(fresh.length + 1);
    const committed = join(root, name);
    if (existsSync(committed) && readFileSync(committed, 'utf8') === readFileSync(made, 'utf8')) continue;
    console.error(`${name}: not what the sources make of it; run \`npm run generate\` and commit the result`);
    process.exitCode = 1;
  }
} finally {
  rmSync(fresh, { recursive: true, force: true });
}
