// `npm run harm`: the table of test/harm on each line of Node.js that is supported. The lines that do not run this
// come from the registry. `npm run harm -- 22 24` runs some.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from './workspace.mjs';

const LINES = { 20: '20.20.2', 22: '22.23.3', 24: '24.21.0' };

const chosen = process.argv.slice(2);
const unknown = chosen.filter((line) => !(line in LINES));
if (unknown.length > 0) {
  console.error(`harm: no Node.js ${unknown.join(', ')} here; there are ${Object.keys(LINES).join(', ')}`);
  process.exit(2);
}

const folder = mkdtempSync(join(tmpdir(), 'curfew-nodes-'));
const failed = [];
try {
  for (const line of Object.keys(LINES).filter((it) => chosen.length === 0 || chosen.includes(it))) {
    console.log(`\n=== Node.js ${line}`);
    if (!passes(nodeOf(line))) failed.push(line);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
if (failed.length > 0) {
  console.error(`harm: failed on Node.js ${failed.join(', ')}`);
  process.exitCode = 1;
}

/** This one where it is of that line; else an installation of its own. */
function nodeOf(line) {
  if (process.versions.node.startsWith(`${line}.`)) return process.execPath;
  const name = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;
  const dir = join(folder, line);
  const options = ['--prefix', dir, '--no-audit', '--no-fund', '--no-save', '--ignore-scripts'];
  execFileSync('npm', ['install', ...options, `${name}@${LINES[line]}`], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return join(dir, 'node_modules', name, 'bin', 'node');
}

/** The driver stays on this Node.js; the programs run on that one. */
function passes(node) {
  const jest = join(ROOT, 'node_modules', '.bin', 'jest');
  const args = ['--config', 'jest.stack.config.cjs', 'test/harm'];
  const env = { ...process.env, CURFEW_HARM_NODE: node };
  return spawnSync(jest, args, { cwd: ROOT, env, stdio: 'inherit' }).status === 0;
}
