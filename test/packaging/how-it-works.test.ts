import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

// A page that names files is read by somebody who has read nothing else: what it names has to be there.

const ROOT = join(__dirname, '..', '..');
const DOCS = join(ROOT, 'docs');

/** Every source and folder of the packages, folders with a slash at their end, as the page may write them. */
const sources = readdirSync(join(ROOT, 'packages')).flatMap((folder) => {
  const src = join('packages', folder, 'src');
  if (!existsSync(join(ROOT, src))) return [];
  return readdirSync(join(ROOT, src), { recursive: true, withFileTypes: true }).map((entry) =>
    join(entry.parentPath, `${entry.name}${entry.isDirectory() ? '/' : ''}`).slice(ROOT.length),
  );
});

/** What a page names and nobody finds: targets of links, and paths that it shows as code. */
function unknownIn(page: string): string[] {
  const links = [...page.matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)].map(([, target]) => target as string);
  const shown = [...page.matchAll(/`([^`\s]+)`/g)].map(([, code]) => code as string).filter(isPath);
  return [
    ...links.filter((target) => !/^\w+:/.test(target) && !existsSync(join(DOCS, target))),
    ...shown.filter(
      (path) => !existsSync(join(ROOT, path)) && !sources.some((source) => source.endsWith(`/${path}`)),
    ),
  ];
}

/** `@curfew/context/spi` and `/metrics` are no paths of ours. */
function isPath(code: string): boolean {
  return /^[\w.-]+(\/[\w.-]+)*(\.(ts|mjs|cjs|md|json)|\/)$/.test(code) || code.startsWith('packages/');
}

test('every file that docs/how-it-works.md names exists', () => {
  expect(unknownIn(readFileSync(join(DOCS, 'how-it-works.md'), 'utf8'))).toEqual([]);
});

test('a source is found by its whole path, or from a folder of its package on', () => {
  const page =
    'see `packages/context/src/index.ts`, `src/index.ts`, `index.ts`, `verbs/`, [here](slots.md#of-ours)';
  expect(unknownIn(page)).toEqual([]);
});

test('what is not a path is left alone', () => {
  expect(unknownIn('`@curfew/context/spi`, `GET /metrics`, `a.b()`, [Go](https://go.dev/a)')).toEqual([]);
});

test.each([
  ['a whole path', '`packages/context/src/nowhere.ts`', 'packages/context/src/nowhere.ts'],
  ['a folder', '`nowhere/`', 'nowhere/'],
  ['a file in a room where it is not', '`nowhere/index.ts`', 'nowhere/index.ts'],
  ['the end of a name', '`ndex.ts`', 'ndex.ts'],
  ['a link', '[`there`](../packages/nowhere.ts#L1)', '../packages/nowhere.ts'],
])('%s that nobody finds is reported', (_, page, unknown) => {
  expect(unknownIn(page)).toEqual([unknown]);
});
