import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

// Small trees of packages for the checks of `scripts` to look at.

const SCRIPTS = join(__dirname, '..', '..', 'scripts');

export const API_PEER = { '@opentelemetry/api': '>=1.9.0 <2.0.0' };

/** Files by their paths: text, or what is to be written as JSON. */
export type Tree = Record<string, string | object>;

const trees: string[] = [];
afterAll(() => trees.forEach((tree) => rmSync(tree, { recursive: true, force: true })));

/** Writes a tree into a folder of its own, which goes with the test file. */
export function plant(tree: Tree): string {
  const root = mkdtempSync(join(tmpdir(), 'curfew-check-'));
  trees.push(root);
  for (const [path, content] of Object.entries(tree)) {
    const file = join(root, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  }
  return root;
}

/** Runs a check of `scripts` on a tree. */
export function run(script: string, root: string): { status: number | null; problems: string } {
  const { status, stderr } = check(script, root);
  return { status, problems: stderr };
}

/** What a check has to say of a tree, apart from its problems. */
export function printedBy(script: string, root: string): string {
  return check(script, root).stdout;
}

function check(script: string, root: string): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, [join(SCRIPTS, `${script}.mjs`), root], { encoding: 'utf8' });
}

/** A package with one source. */
export function pkg(folder: string, source: string, manifest: object = {}): Tree {
  return {
    [`packages/${folder}/package.json`]: {
      name: `@curfew/${folder}`,
      peerDependencies: API_PEER,
      ...manifest,
    },
    [`packages/${folder}/src/index.ts`]: source,
  };
}

/** Further sources of a package, by their place in `src`. */
export function sources(folder: string, files: Record<string, string>): Tree {
  return Object.fromEntries(
    Object.entries(files).map(([name, text]) => [`packages/${folder}/src/${name}.ts`, text]),
  );
}

/** Files of which each imports the next. */
export function chain(length: number): Record<string, string> {
  return Object.fromEntries(
    Array.from({ length }, (_, i) => [`f${i}`, i < length - 1 ? `import './f${i + 1}';` : '']),
  );
}

/** Files that lie side by side. */
export function manyIn(folder: string, count: number): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, i) => [`${folder}/g${i}`, '']));
}

/** The core at its smallest. */
export const core = pkg('context', `import { context } from '@opentelemetry/api';\nexport { context };`);
