// `npm ci` refuses a lock file that lacks something, on whatever platform that is needed. npm leaves the builds for
// other platforms out when a registry cannot serve them, and says nothing; this says it before a clean checkout does.
import { join } from 'node:path';
import { main, packagesOf, readJson } from './workspace.mjs';

export function checkLock(root) {
  const { packages } = readJson(join(root, 'package-lock.json'));
  return [
    ...changedManifests(root, packages),
    ...Object.entries(packages).flatMap(([path, entry]) => missing(packages, path, entry)),
  ];
}

/** A package.json that was edited and not installed. */
function changedManifests(root, packages) {
  const manifests = packagesOf(root).map(({ folder, manifest }) => [`packages/${folder}`, manifest]);
  return [['', readJson(join(root, 'package.json'))], ...manifests].flatMap(([path, manifest]) =>
    ['dependencies', 'devDependencies', 'peerDependencies', 'optionalDependencies']
      .filter((field) => !same(manifest[field], packages[path]?.[field]))
      .map(
        (field) => `package-lock.json: ${field} of ${path || 'the root'} are not those of its package.json`,
      ),
  );
}

const same = (a = {}, b = {}) =>
  JSON.stringify(Object.entries(a).sort()) === JSON.stringify(Object.entries(b).sort());

function missing(packages, path, { dependencies, optionalDependencies, devDependencies, link }) {
  if (link) return [];
  const own = path.includes('node_modules/') ? {} : devDependencies;
  return Object.keys({ ...dependencies, ...optionalDependencies, ...own })
    .filter((name) => !resolves(packages, path, name))
    .map((name) => `package-lock.json: ${name}, which ${path || 'the root'} needs, is missing`);
}

/** Looks where Node.js would: in the package's own node_modules, then in those around it. */
function resolves(packages, path, name) {
  for (let at = path; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/')))) {
    if (`${at === '' ? '' : `${at}/`}node_modules/${name}` in packages) return true;
    if (at === '') return false;
  }
}

main(import.meta.url, checkLock);
