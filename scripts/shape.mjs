// The shape of a package: no circles, few floors, and rooms that a stranger can take in at a glance.
import { readFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import ts from 'typescript';
import { shown, sourcesOf } from './workspace.mjs';

/**
 * How many floors each package may have: files in its longest chain of imports, types included. Each is a little above
 * what there is, so that a package does not grow taller unnoticed: whoever raises a number says why.
 */
const FLOORS = {
  context: 20,
  propagation: 5,
  http: 8,
  rpc: 8,
  pg: 10,
  testing: 6,
  telemetry: 13,
  inspector: 8,
  dashboards: 6,
  node: 11,
  'throwaway-postgres': 5,
  demo: 7,
  'eslint-plugin': 6,
  cli: 6,
};

/** How many files may lie side by side in a folder; entry points are doors, not furniture. */
const FILES = 14;

export function checkShape(root, pkg) {
  const { circles, tallest } = shapeOf(pkg);
  const most = FLOORS[pkg.folder] ?? 0;
  return [
    ...circles.map((circle) => `packages/${pkg.folder}: imports run in a circle: ${names(pkg, circle)}`),
    ...(tallest.length > most
      ? [`packages/${pkg.folder}: ${tallest.length} floors, at most ${most}: ${names(pkg, tallest)}`]
      : []),
    ...foldersOf(pkg)
      .filter(([, files]) => files.length > FILES)
      .map(
        ([folder, files]) => `${shown(root, folder)}: ${files.length} files side by side, at most ${FILES}`,
      ),
  ];
}

/** One line that says how tall and how wide a package is. */
export function shapeLine(pkg) {
  const { tallest } = shapeOf(pkg);
  const widest = Math.max(...foldersOf(pkg).map(([, files]) => files.length));
  return `${pkg.folder}: ${tallest.length} floors of ${FLOORS[pkg.folder]}, ${widest} files side by side of ${FILES}`;
}

/** The circles among a package's files, and its longest chain of imports. */
function shapeOf({ dir }) {
  const sources = new Set(sourcesOf(dir));
  const circles = [];
  const chains = new Map();
  const path = [];

  // Along the imports; what is met again on the way closes a circle, and is not followed.
  const chainFrom = (file) => {
    const known = chains.get(file);
    if (known !== undefined) return known;
    path.push(file);
    let longest = [];
    for (const next of targetsOf(file, sources)) {
      if (path.includes(next)) {
        circles.push([...path.slice(path.indexOf(next)), next]);
        continue;
      }
      const chain = chainFrom(next);
      if (chain.length > longest.length) longest = chain;
    }
    path.pop();
    const chain = [file, ...longest];
    chains.set(file, chain);
    return chain;
  };

  let tallest = [];
  for (const file of sources) {
    const chain = chainFrom(file);
    if (chain.length > tallest.length) tallest = chain;
  }
  return { circles, tallest };
}

/** Every specifier of a file: `import`, `export … from`, `import()`, `require`, and types. */
export function importsOf(file) {
  const found = ts.preProcessFile(readFileSync(file, 'utf8'), true, true);
  return [...found.importedFiles, ...found.typeReferenceDirectives].map((it) => it.fileName);
}

function targetsOf(file, sources) {
  return importsOf(file)
    .filter((specifier) => specifier.startsWith('.'))
    .map((specifier) => resolve(dirname(file), specifier))
    .map((target) => [`${target}.ts`, join(target, 'index.ts')].find((it) => sources.has(it)))
    .filter((target) => target !== undefined);
}

/** The folders of a package's sources, each with its files. */
function foldersOf({ dir, manifest }) {
  const doors = Object.values(manifest.exports ?? {}).map((it) => basename(it.default ?? it, '.js'));
  const folders = new Map();
  for (const file of sourcesOf(dir)) {
    const folder = dirname(file);
    if (folder === join(dir, 'src') && doors.includes(basename(file, '.ts'))) continue;
    folders.set(folder, [...(folders.get(folder) ?? []), file]);
  }
  return [...folders];
}

function names({ dir }, files) {
  return files.map((file) => shown(join(dir, 'src'), file).replace(/\.ts$/, '')).join(' → ');
}
