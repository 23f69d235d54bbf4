import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** The repository that these scripts belong to. */
export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** The tree to check: the first argument, so that tests can point a check at a tree that is wrong on purpose. */
export const checkedRoot = () => resolve(process.argv[2] ?? ROOT);

export const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'));

/** The packages of a tree: folder, manifest, and whether anything has been written yet. */
export function packagesOf(root) {
  return readdirSync(join(root, 'packages'))
    .map((folder) => ({ folder, dir: join(root, 'packages', folder) }))
    .filter(({ dir }) => existsSync(join(dir, 'package.json')))
    .map((it) => ({ ...it, manifest: readJson(join(it.dir, 'package.json')) }))
    .map((it) => ({ ...it, written: sourcesOf(it.dir).length > 0 }));
}

/** What goes to the registry: packages that are not private and have sources. */
export const publishedPackages = (root) =>
  packagesOf(root).filter((it) => it.written && !it.manifest.private);

/** The TypeScript sources of a package. */
export function sourcesOf(dir) {
  const src = join(dir, 'src');
  if (!existsSync(src)) return [];
  return readdirSync(src, { recursive: true })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(src, name));
}

/** What git tracks or would add, relative to the root. */
export function trackedFiles(root) {
  const list = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
  });
  return list
    .toString()
    .split('\0')
    .filter((file) => file !== '' && existsSync(join(root, file)));
}

/** Runs a check when its script is the program: prints each problem on a line and sets the exit code. */
export function main(url, check) {
  if (url !== pathToFileURL(process.argv[1] ?? '').href) return;
  const root = checkedRoot();
  const problems = check(root);
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) process.exitCode = 1;
}

export const shown = (root, path) => relative(root, path);
