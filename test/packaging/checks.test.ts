import { spawnSync } from 'node:child_process';
import { API_PEER, chain, core, manyIn, pkg, plant, printedBy, run, sources, type Tree } from './planted';

// A check that cannot fail proves nothing: each is shown a small tree that is right, then one that is wrong.

describe('check-imports', () => {
  const on = (tree: Tree) => run('check-imports', plant(tree));

  it('accepts imports that follow the arrows and are declared', () => {
    const dependencies = { '@curfew/context': '0.1.0' };
    const source = `import { end } from '@curfew/context/spi';\nimport { get } from 'node:http';\nexport { end, get };`;
    const tsconfig = { 'packages/http/tsconfig.json': { references: [{ path: '../context' }] } };
    expect(on({ ...core, ...pkg('http', source, { dependencies }), ...tsconfig })).toEqual({
      status: 0,
      problems: '',
    });
  });

  it.each<[string, Tree, RegExp]>([
    [
      'an import against the arrows',
      { ...pkg('context', `import { Store } from '@curfew/telemetry';`), ...pkg('telemetry', '') },
      /no arrow leads from context to telemetry/,
    ],
    [
      'a type that an adapter takes from telemetry',
      pkg('http', `import type { Store } from '@curfew/telemetry';`, {
        dependencies: { '@curfew/telemetry': '0.1.0' },
      }),
      /no arrow leads from http to telemetry/,
    ],
    ['Node.js in the core', pkg('context', `import { on } from 'node:events';`), /imports nothing from Node/],
    [
      'Node.js in the core, by require',
      pkg('context', `const { on } = require('events');`),
      /imports nothing from Node/,
    ],
    [
      'a third party in the core',
      pkg('context', `import ms from 'ms';`, { dependencies: { ms: '1.0.0' } }),
      /nothing but @opentelemetry\/api/,
    ],
    [
      "the SDK's types in telemetry",
      pkg('telemetry', `export type P = import('@opentelemetry/sdk-trace-base').SpanProcessor;`),
      /beyond its API/,
    ],
    ['an undeclared package', pkg('pg', `import { Client } from 'pg';`), /pg is not declared/],
    [
      'a package that a published one declares for development only',
      pkg('pg', `import { Client } from 'pg';`, { devDependencies: { pg: '8.0.0' } }),
      /pg is not declared/,
    ],
    [
      'a way into the sources of another package',
      pkg('pg', `export { end } from '../../context/src/spi';`),
      /leaves/,
    ],
    ['a builtin without its scheme', pkg('http', `import { get } from 'http';`), /lacks its 'node:'/],
    [
      'a dependency that the build does not know of',
      { ...core, ...pkg('pg', '', { dependencies: { '@curfew/context': '0.1.0' } }) },
      /no reference to @curfew\/context/,
    ],
    ['a package that the design does not list', pkg('extras', ''), /not in the design's list/],
    [
      'imports that run in a circle, of types alone too, through folders',
      {
        ...pkg('context', `export { a } from './a/a';`),
        ...sources('context', {
          'a/a': `import type { B } from '../b';\nexport const a: B = 1;`,
          b: `import { a } from './a/a';\nexport type B = typeof a;`,
        }),
      },
      /packages\/context: imports run in a circle: (a\/a → b → a\/a|b → a\/a → b)$/m,
    ],
    [
      'a package that grows taller',
      { ...pkg('context', ''), ...sources('context', chain(30)) },
      /packages\/context: 30 floors, at most \d+: f0 → f1 → /,
    ],
    [
      'more files in a folder than a stranger takes in',
      { ...pkg('context', ''), ...sources('context', manyIn('room', 15)) },
      /packages\/context\/src\/room: 15 files side by side, at most 14/,
    ],
  ])('reports %s', (_, tree, problem) => {
    const { status, problems } = on(tree);
    expect(problems).toMatch(problem);
    expect(status).toBe(1);
  });

  it('prints how tall and how wide each package is', () => {
    const tree = plant({ ...core, ...sources('context', { ...chain(3), ...manyIn('room', 14) }) });
    expect(printedBy('check-imports', tree)).toMatch(
      /^context: 3 floors of \d+, 14 files side by side of 14$/m,
    );
  });

  it('does not count the entry points of a package among the files of its folder', () => {
    const exports = { '.': { default: './dist/index.js' }, './spi': { default: './dist/spi.js' } };
    const tree = {
      ...pkg('context', '', { exports }),
      ...sources('context', { spi: '', ...manyIn('.', 14) }),
    };
    expect(on(tree)).toEqual({ status: 0, problems: '' });
  });

  describe('on what adapters take from the door for telemetry', () => {
    const spi = {
      ...core,
      ...sources('context', {
        'spi/adapters': `export { end } from '../index';\nexport type { Both } from '../index';`,
        'spi/telemetry': `export { nodeOf } from '../index';\nexport type { Both, Ending } from '../index';`,
      }),
      'packages/http/tsconfig.json': { references: [{ path: '../context' }] },
      'packages/telemetry/tsconfig.json': { references: [{ path: '../context' }] },
    };
    const dependencies = { '@curfew/context': '0.1.0' };
    const importing = (what: string, folder = 'http') =>
      on({ ...spi, ...pkg(folder, `import ${what} from '@curfew/context/spi';`, { dependencies }) });

    it('accepts what is there for them, and for both', () => {
      expect(importing('{ end, type Both }')).toEqual({ status: 0, problems: '' });
    });

    it('accepts what telemetry takes', () => {
      expect(importing('{ nodeOf, type Ending }', 'telemetry')).toEqual({ status: 0, problems: '' });
    });

    it.each([
      ['a function', '{ end, nodeOf as read }', /http\/src\/index\.ts: .* nodeOf is there for telemetry/],
      ['a type', 'type { Ending }', /Ending is there for telemetry/],
      ['everything at once', '* as spi', /imports by name/],
    ])('reports %s', (_, what, problem) => {
      const { status, problems } = importing(what);
      expect(problems).toMatch(problem);
      expect(status).toBe(1);
    });

    it('reports what is passed on', () => {
      const source = `export { nodeOf } from '@curfew/context/spi';`;
      expect(on({ ...spi, ...pkg('http', source, { dependencies }) }).problems).toMatch(
        /nodeOf is there for telemetry/,
      );
    });
  });
});

describe('check-peers', () => {
  const on = (tree: Tree) => run('check-peers', plant(tree));
  const lock = (...paths: string[]) => ({
    'package-lock.json': { packages: Object.fromEntries(paths.map((path) => [path, { version: '1.9.1' }])) },
  });

  it('accepts the API as a peer, installed once', () => {
    expect(on({ ...core, ...lock('node_modules/@opentelemetry/api') })).toEqual({ status: 0, problems: '' });
  });

  it.each<[string, Tree, RegExp]>([
    [
      'the API as a dependency',
      pkg('context', '', { dependencies: { '@opentelemetry/api': '1.9.1' } }),
      /is in dependencies/,
    ],
    ['a missing peer', pkg('pg', '', { peerDependencies: {} }), /is missing/],
    [
      'another range',
      pkg('pg', '', { peerDependencies: { '@opentelemetry/api': '^1.10.0' } }),
      /must be ">=1\.9\.0 <2\.0\.0"/,
    ],
    [
      'a second copy in the tree',
      {
        ...core,
        ...lock(
          'node_modules/@opentelemetry/core',
          'node_modules/@opentelemetry/resources/node_modules/@opentelemetry/core',
        ),
      },
      /2 copies of @opentelemetry\/core/,
    ],
  ])('reports %s', (_, tree, problem) => {
    const { status, problems } = on(tree);
    expect(problems).toMatch(problem);
    expect(status).toBe(1);
  });
});

describe('check-lock', () => {
  const lockOf = (packages: object) => ({ 'package-lock.json': { packages } });
  const root = { dependencies: { tool: '1.0.0' } };
  const tree = { ...core, 'package.json': root };
  const own = { 'packages/context': { peerDependencies: API_PEER } };
  const on = (packages: object) =>
    run('check-lock', plant({ ...tree, ...lockOf({ '': root, ...own, ...packages }) }));
  const tool = { optionalDependencies: { 'tool-darwin': '1.0.0' } };

  it('accepts a lock file in which everything is found, for every platform', () => {
    const found = { 'node_modules/tool': tool, 'node_modules/tool/node_modules/tool-darwin': {} };
    expect(on(found)).toEqual({ status: 0, problems: '' });
  });

  it.each<[string, object, RegExp]>([
    [
      'a build for another platform that is left out',
      { 'node_modules/tool': tool },
      /tool-darwin, .* is missing/,
    ],
    ['a dependency that is left out', {}, /tool, which the root needs, is missing/],
    [
      'a package.json that was edited and not installed',
      { 'node_modules/tool': {}, 'packages/context': { dependencies: { tool: '1.0.0' } } },
      /dependencies of packages\/context are not those/,
    ],
  ])('reports %s', (_, packages, problem) => {
    const { status, problems } = on(packages);
    expect(problems).toMatch(problem);
    expect(status).toBe(1);
  });
});

describe('check-paths', () => {
  function on(text: string): { status: number | null; problems: string } {
    const root = plant({ 'notes.md': text });
    spawnSync('git', ['init', '-q'], { cwd: root });
    return run('check-paths', root);
  }

  it('accepts relative paths, addresses and mount points', () => {
    const text = 'see ../work/a.md, https://example.org/tmp/a, ./tmp/x and tmpfs at /tmp:\n';
    expect(on(text)).toEqual({ status: 0, problems: '' });
  });

  it.each(['work', 'tmp', 'root', 'home/ann', 'Users/ann'])('reports a path below /%s', (folder) => {
    const { status, problems } = on(`first\nsee /${folder}/notes\n`);
    expect(problems).toMatch(/^notes\.md:2: /);
    expect(status).toBe(1);
  });
});
