// OpenTelemetry's API must exist once in a process: a second copy silently does nothing. So it is a peer of every
// package and a dependency of none, and the tree holds one copy of everything from OpenTelemetry.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { main, packagesOf, readJson } from './workspace.mjs';

const API = '@opentelemetry/api';
const RANGE = '>=1.9.0 <2.0.0';

/** Tools that read code and run none of it need no API, and no more does what only starts a database. */
const WITHOUT_API = ['eslint-plugin', 'cli', 'throwaway-postgres'];

export function checkPeers(root) {
  return [...packagesOf(root).flatMap(checkPackage), ...checkCopies(root)];
}

function checkPackage({ folder, manifest }) {
  const where = `packages/${folder}/package.json`;
  const problems = ['dependencies', 'devDependencies', 'optionalDependencies']
    .filter((field) => API in (manifest[field] ?? {}))
    .map((field) => `${where}: ${API} is in ${field}; it must be a peer`);
  const peer = manifest.peerDependencies?.[API];
  if (!WITHOUT_API.includes(folder) && peer !== RANGE) {
    problems.push(
      `${where}: peer ${API} must be "${RANGE}" and is ${peer === undefined ? 'missing' : `"${peer}"`}`,
    );
  }
  if (manifest.peerDependenciesMeta?.[API]?.optional) problems.push(`${where}: peer ${API} is not optional`);
  return problems;
}

function checkCopies(root) {
  const lock = join(root, 'package-lock.json');
  if (!existsSync(lock)) return [];
  const copies = new Map();
  for (const [path, { version }] of Object.entries(readJson(lock).packages)) {
    const name = /(?:^|\/)node_modules\/(@opentelemetry\/[^/]+)$/.exec(path)?.[1];
    if (name !== undefined) copies.set(name, [...(copies.get(name) ?? []), `${path} ${version}`]);
  }
  return [...copies]
    .filter(([, paths]) => paths.length > 1)
    .map(([name, paths]) => `package-lock.json: ${paths.length} copies of ${name}: ${paths.join(', ')}`);
}

main(import.meta.url, checkPeers);
