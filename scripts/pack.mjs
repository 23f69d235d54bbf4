import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { publishedPackages } from './workspace.mjs';

/** Packs every published package into `destination`, in one run of npm, and tells which tarball is whose. */
export function packAll(root, destination) {
  const packages = publishedPackages(root);
  if (packages.length === 0) return [];
  const chosen = packages.flatMap((it) => ['--workspace', it.manifest.name]);
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', destination, ...chosen];
  const output = execFileSync('npm', args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  const packed = new Map(entriesOf(JSON.parse(output)).map((it) => [it.name, it.filename]));
  return packages.map((it) => ({ ...it, tarball: join(destination, packed.get(it.manifest.name)) }));
}

/** npm prints a list, and from version 12 on an object by name. */
const entriesOf = (report) => (Array.isArray(report) ? report : Object.values(report));
