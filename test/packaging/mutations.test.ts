import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

// What `npm run mutants` tries on a source, and whether what is listed as harmless still stands in the sources.

const ROOT = join(__dirname, '..', '..');
const SCRIPT = pathToFileURL(join(ROOT, 'scripts', 'mutations.mjs')).href;

/** The mutations of some sources: a key, and the text that comes of it. */
function mutationsOf(...sources: readonly string[]): { key: string; text: string }[][] {
  const program = `
    import { readFileSync } from 'node:fs';
    import { mutationsOf } from ${JSON.stringify(SCRIPT)};
    const sources = JSON.parse(readFileSync(0, 'utf8'));
    console.log(JSON.stringify(sources.map((source) => mutationsOf('a.ts', source))));`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    input: JSON.stringify(sources),
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  if (stderr !== '') throw new Error(stderr);
  return JSON.parse(stdout) as { key: string; text: string }[][];
}

const keys = (source: string) => mutationsOf(source)[0]?.map(({ key }) => key);

test('a condition is tried both ways, a comparison at its boundary, an operand left out, a call dropped', () => {
  const source = `function f(a: number) { if (a > 1 && ok) g(a); else h(); return a === 2; }`;
  expect(keys(source)).toEqual([
    'f: a > 1 && ok → false',
    'f: a > 1 && ok → (a > 1)',
    'f: a > 1 && ok → (ok)',
    'f: a > 1 → a >= 1',
    'f: g(a); → nothing',
    'f: h(); → nothing',
    'f: a === 2 → a !== 2',
  ]);
});

test('what stands twice in a function is told apart by a number, and types are left alone', () => {
  const source = `const f = (on: true) => { g(); g(); }; interface A { b: true }`;
  expect(keys(source)).toEqual(['f: g(); → nothing', 'f: g(); → nothing #2']);
});

test('each is the source with one thing changed', () => {
  const [mutations] = mutationsOf('let n = Math.max(a, b) + 1;\nn++;');
  expect(mutations?.map(({ text }) => text)).toEqual([
    'let n = Math.max(a, b) - 1;\nn++;',
    'let n = Math.min(a, b) + 1;\nn++;',
    'let n = Math.max(a, b) + 1;\n;',
    'let n = Math.max(a, b) + 1;\nn--;',
  ]);
});

test('every mutation that is listed as harmless can still be made', () => {
  const allowed = JSON.parse(readFileSync(join(ROOT, 'scripts', 'mutants-allowed.json'), 'utf8')) as Record<
    string,
    Record<string, string>
  >;
  const files = readdirSync(join(ROOT, 'packages'), { recursive: true, encoding: 'utf8' });
  const names = Object.keys(allowed);
  const paths = names.map((name) =>
    files.find((file) => /^[\w-]+\/src\//.test(file) && file.endsWith(`/${name}.ts`)),
  );
  expect(paths).not.toContain(undefined);
  const made = mutationsOf(
    ...paths.map((path) => readFileSync(join(ROOT, 'packages', path as string), 'utf8')),
  );
  const gone = names.flatMap((name, index) =>
    Object.keys(allowed[name] as object).filter((key) => !made[index]?.some((it) => it.key === key)),
  );
  expect(gone).toEqual([]);
});
