// An import may follow an arrow of the design and nothing else; what is imported is declared; within a package, imports
// run in no circle and on few floors.
import { isBuiltin } from 'node:module';
import { dirname, join, resolve, sep } from 'node:path';
import { existsSync } from 'node:fs';
import { checkAudience } from './audience.mjs';
import { checkShape, importsOf, shapeLine } from './shape.mjs';
import { main, packagesOf, readJson, shown, sourcesOf } from './workspace.mjs';

/** What each package may import. An arrow that is not drawn here is drawn nowhere. */
const ARROWS = {
  context: [],
  propagation: ['context'],
  http: ['context', 'propagation'],
  rpc: ['context', 'propagation'],
  pg: ['context'],
  testing: ['context'],
  telemetry: ['context'],
  inspector: ['context', 'telemetry'],
  dashboards: ['telemetry'],
  node: ['context', 'propagation', 'http', 'rpc', 'pg', 'telemetry', 'inspector'],
  'throwaway-postgres': [],
  demo: [
    'context',
    'propagation',
    'http',
    'rpc',
    'pg',
    'telemetry',
    'inspector',
    'node',
    'throwaway-postgres',
  ],
  'eslint-plugin': [],
  cli: [],
};

/** Where OpenTelemetry beyond its API may be imported; everybody else is to work with any version of the SDK. */
const MAY_IMPORT_SDK = ['node', 'demo'];

/** The core must run wherever OpenTelemetry's API does, and drag nothing along. */
const CORE = 'context';

export function checkImports(root) {
  const packages = packagesOf(root).filter((it) => it.written);
  for (const pkg of packages) console.log(shapeLine(pkg));
  const folderOf = new Map(packages.map((it) => [it.manifest.name, it.folder]));
  return packages.flatMap((pkg) => [
    ...(pkg.folder in ARROWS ? [] : [`packages/${pkg.folder}: not in the design's list of packages`]),
    ...checkReferences(pkg, folderOf),
    ...checkShape(root, pkg),
    ...checkAudience(root, pkg),
    ...sourcesOf(pkg.dir).flatMap((file) =>
      importsOf(file)
        .map((specifier) => problemWith(pkg, file, specifier, folderOf))
        .filter((problem) => problem !== undefined)
        .map((problem) => `${shown(root, file)}: ${problem}`),
    ),
  ]);
}

function problemWith(pkg, file, specifier, folderOf) {
  if (specifier.startsWith('.')) {
    const target = resolve(dirname(file), specifier);
    return target.startsWith(join(pkg.dir, 'src') + sep)
      ? undefined
      : `'${specifier}' leaves the package's sources`;
  }
  if (isBuiltin(specifier)) {
    if (pkg.folder === CORE) return `'${specifier}': the core imports nothing from Node.js`;
    return specifier.startsWith('node:') ? undefined : `'${specifier}' lacks its 'node:'`;
  }
  const name = packageName(specifier);
  if (name === pkg.manifest.name) return `'${specifier}': a package does not import itself by name`;
  return forbidden(pkg, specifier, name, folderOf) ?? undeclared(pkg, specifier, name);
}

function forbidden(pkg, specifier, name, folderOf) {
  const folder =
    folderOf.get(name) ?? (name.startsWith('@curfew/') ? name.slice('@curfew/'.length) : undefined);
  if (folder !== undefined) {
    if (ARROWS[pkg.folder]?.includes(folder)) return undefined;
    return `'${specifier}': no arrow leads from ${pkg.folder} to ${folder}`;
  }
  if (name === '@opentelemetry/api') return undefined;
  if (pkg.folder === CORE) return `'${specifier}': the core imports nothing but @opentelemetry/api`;
  if (name.startsWith('@opentelemetry/') && !MAY_IMPORT_SDK.includes(pkg.folder)) {
    return `'${specifier}': only ${MAY_IMPORT_SDK.join(' and ')} may import OpenTelemetry beyond its API`;
  }
  return undefined;
}

/** A package that is never published may use what it only needs to build itself. */
function undeclared({ manifest }, specifier, name) {
  const declared = {
    ...manifest.dependencies,
    ...manifest.peerDependencies,
    ...manifest.optionalDependencies,
  };
  if (manifest.private) Object.assign(declared, manifest.devDependencies);
  return name in declared ? undefined : `'${specifier}': ${name} is not declared in package.json`;
}

/** Without the reference `tsc -b` builds in the wrong order, which shows on a clean checkout only. */
function checkReferences({ folder, dir, manifest }, folderOf) {
  const path = join(dir, 'tsconfig.json');
  const references = existsSync(path) ? (readJson(path).references ?? []) : [];
  const referenced = references.map((it) => it.path.split('/').at(-1));
  return Object.keys(manifest.dependencies ?? {})
    .filter((name) => folderOf.has(name) && !referenced.includes(folderOf.get(name)))
    .map(
      (name) => `packages/${folder}/tsconfig.json: no reference to ${name}, which package.json depends on`,
    );
}

function packageName(specifier) {
  const [first, second] = specifier.split('/');
  return first.startsWith('@') ? `${first}/${second}` : first;
}

main(import.meta.url, checkImports);
