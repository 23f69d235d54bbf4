// publint and attw on the tarballs that would be published: what is in them, and whether each entry point resolves.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packAll } from './pack.mjs';
import { checkedRoot, ROOT } from './workspace.mjs';

const bin = (name) => join(ROOT, 'node_modules', '.bin', name);

/** Two at a time: as many as a small machine has processors. */
const LANES = 2;

const destination = mkdtempSync(join(tmpdir(), 'curfew-pack-'));
try {
  const jobs = packAll(checkedRoot(), destination).flatMap(({ manifest, tarball }) => [
    { name: manifest.name, tool: 'publint', args: ['run', tarball, '--strict'] },
    { name: manifest.name, tool: 'attw', args: [tarball, '--profile', 'node16', '--no-color', '--no-emoji'] },
  ]);
  const lane = async () => {
    for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) await check(job);
  };
  await Promise.all(Array.from({ length: LANES }, lane));
} finally {
  rmSync(destination, { recursive: true, force: true });
}

async function check({ name, tool, args }) {
  const child = spawn(bin(tool), args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
  const code = await new Promise((settle) => child.on('close', settle));
  if (code === 0) return;
  console.error(`${name}: ${tool} failed\n${output.trim()}\n`);
  process.exitCode = 1;
}
