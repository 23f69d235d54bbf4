import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { entryPoints, Project, published, ROOT } from './project';

// The tarballs as a user gets them, in a project of its own.

const packages = published();
const entries = packages.flatMap((it) => entryPoints(it).map((entry) => ({ entry, pkg: it })));

/** `@curfew/context/spi` as a name for files and variables. */
const slug = (entry: string) => entry.replace(/[^a-z]+/gi, '_').replace(/^_/, '');

let project: Project;

beforeAll(() => {
  project = new Project(packages);
}, 60_000);
afterAll(() => project.remove());

function write(path: string, content: string | object): string {
  const file = join(project.dir, path);
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content, null, 2));
  return file;
}

/** What `require` finds, asked in a process of its own: an entry point such as `register` acts when it is loaded. */
function namesOf(entry: string): string[] {
  const { status, output } = project.node(
    '-p',
    `'names ' + JSON.stringify(Object.keys(require('${entry}')))`,
  );
  if (status !== 0) throw new Error(output);
  return JSON.parse(/^names (.*)$/m.exec(output)?.[1] ?? '') as string[];
}

it('finds the packages that are to be published', () => {
  expect(packages.map((it) => it.manifest.name)).toContain('@curfew/context');
});

describe.each(entries)('$entry', ({ entry, pkg }) => {
  const acts = entry.endsWith('/register');

  it('loads by require, and lets the process end', () => {
    const names = namesOf(entry);
    if (!acts) expect(names.length).toBeGreaterThan(0);
    expect(names).not.toContain('default');
  });

  it('loads by import, every name by its name, from the same single module', () => {
    const names = namesOf(entry);
    const file = write(
      `esm/${slug(entry)}.mjs`,
      `import { createRequire } from 'node:module';
       ${names.length === 0 ? '' : `import { ${names.join(', ')} } from '${entry}';`}
       import * as all from '${entry}';
       const required = createRequire(import.meta.url)('${entry}');
       for (const [name, value] of Object.entries({ ${names.join(', ')} })) {
         if (value !== required[name]) throw new Error(name + ' differs between import and require');
       }
       console.log(Object.keys(all).length >= ${names.length} ? 'loaded' : 'incomplete');`,
    );
    expect(project.node(file)).toEqual({ status: 0, output: expect.stringContaining('loaded') });
  });

  it('ships what it is built to, its licence, and nothing that a build leaves behind', () => {
    const shipped = readdirSync(join(project.dir, 'node_modules', pkg.manifest.name), {
      recursive: true,
    }).map(String);
    expect(shipped).toEqual(
      expect.arrayContaining(['package.json', 'LICENSE', 'dist/index.js', 'dist/index.d.ts']),
    );
    const expected = /^(dist(\/.+\.(js|d\.ts)(\.map)?|\/[\w/-]+)?|package\.json|LICENSE|README\.md)$/;
    expect(shipped.filter((path) => !expected.test(path))).toEqual([]);
  });
});

describe('the declarations', () => {
  const tsc = createRequire(join(ROOT, 'package.json')).resolve('typescript/bin/tsc');

  /** A package whose own build has no types of Node.js promises the same to its users. */
  const standsAlone = (dir: string) => {
    const config = JSON.parse(readFileSync(join(dir, 'tsconfig.json'), 'utf8')) as {
      compilerOptions: { types?: string[] };
    };
    return !(config.compilerOptions.types ?? []).includes('node');
  };

  function compile(
    label: string,
    chosen: string[],
    options: object,
  ): { status: number | null; output: string } {
    const imports = chosen.map((entry) => `import * as ${slug(entry)} from '${entry}';`).join('\n');
    const uses = `export const all: object[] = [${chosen.map(slug).join(', ')}];\n`;
    const everyday = `import { scope, withTimeout, background, type CancelContext } from '@curfew/context';
      export function wait(): CancelContext {
        const [ctx, cancel] = withTimeout(background(), 20, { name: 'wait' });
        using _ = cancel;
        return ctx;
      }
      export const answer: Promise<number> = scope({ timeout: 5 }, async (ctx) => ctx.remaining());\n`;
    write(`${label}/all.mts`, `${imports}\n${uses}`);
    write(`${label}/all.cts`, `${imports}\n${uses}`);
    write(`${label}/everyday.mts`, everyday);
    write(`${label}/tsconfig.json`, {
      compilerOptions: {
        target: 'ES2022',
        module: 'NodeNext',
        strict: true,
        exactOptionalPropertyTypes: true,
        noEmit: true,
        skipLibCheck: false,
        ...options,
      },
      include: ['*.mts', '*.cts'],
    });
    return project.node(tsc, '-p', join(project.dir, label));
  }

  it('stand alone with lib dom and no types of Node.js', () => {
    const alone = entries.filter(({ pkg }) => standsAlone(pkg.dir)).map((it) => it.entry);
    expect(alone).toContain('@curfew/context');
    expect(compile('dom', alone, { lib: ['ES2022', 'DOM'], types: [] })).toEqual({ status: 0, output: '' });
  });

  it('stand alone with the types of Node.js and no lib dom', () => {
    project.addTypes('node');
    const all = entries.map((it) => it.entry);
    expect(compile('node', all, { lib: ['ES2022'], types: ['node'] })).toEqual({ status: 0, output: '' });
  });
});

it("loads in a user's own Jest, which has realms of its own", () => {
  write('package.json', { name: 'user', private: true });
  write(
    'jest.config.cjs',
    "module.exports = { rootDir: __dirname, testMatch: ['**/*.user.js'], transform: {} };",
  );
  const loads = entries.map(({ entry }) => `it('${entry}', () => { require('${entry}'); });`).join('\n');
  write(
    'jest/all.user.js',
    `${loads}
     const { background, isCanceled, isDeadlineExceeded, withCancel, withTimeout } = require('@curfew/context');
     it('cancels', () => {
       const [ctx, cancel] = withCancel(background());
       cancel(new Error('enough'));
       expect(ctx.signal.aborted).toBe(true);
       expect(isCanceled(ctx.err())).toBe(true);
     });
     it('knows a deadline that has passed', () => {
       const [ctx] = withTimeout(background(), 0);
       expect(isDeadlineExceeded(ctx.err())).toBe(true);
     });
     it('takes a parent of its own realm', () => {
       expect(() => withCancel({})).toThrow(TypeError);
     });`,
  );
  const jest = createRequire(join(ROOT, 'package.json')).resolve('jest/bin/jest');
  const { status, output } = project.node(
    jest,
    '--config',
    join(project.dir, 'jest.config.cjs'),
    '--no-cache',
  );
  expect(output).toContain(`Tests:       ${entries.length + 3} passed`);
  expect(status).toBe(0);
});
