import { pkg, plant, run, sources, type Tree } from './planted';

// As in checks.test.ts: the check is shown a table that is right, then some that are wrong.

const row = (name: string, owner: string, readers = '') =>
  `| \`${name}\` | ${owner} | something | ${readers} |`;

const table = (...rows: readonly string[]): Tree => ({
  'docs/slots.md': ['| Name | Owner | What it holds | Read by |', '| - | - | - | - |', ...rows].join('\n'),
});

const NODE = `export const NODE_KEY = createContextKey('@curfew/context.node.v1');`;
const context = pkg('context', NODE);
const http = pkg('http', `import { NODE_KEY } from '@curfew/context/spi';\nctx.getValue(NODE_KEY);`);

const on = (...trees: readonly Tree[]) => run('check-slots', plant(Object.assign({}, ...trees) as Tree));

it('accepts a table that names what the sources register, and who reads it', () => {
  const slots = sources('context', {
    runtime: `const runtime = globalSlot('@curfew/context.runtime', PROTOCOL, () => ({}));`,
    counts: `const counts = globalSlot('@curfew/context.counts', 3, () => ({}));`,
    mark: 'const MARK = Symbol.for(`@curfew/context.mark.v${PROTOCOL}`);',
    'plumbing/global-slot': 'const slot = Symbol.for(`${name}.v${version}`);',
    comment: `// As \`Symbol.for('my-app.user')\` would.`,
  });
  const byName = pkg('telemetry', `const NODE = createContextKey('@curfew/context.node.v1');`);
  const foreign = pkg('node', `const SLOT = Symbol.for('opentelemetry.js.api.1');`);
  const rows = table(
    row('@curfew/context.node.v1', 'context', 'http, telemetry'),
    row('@curfew/context.runtime.v${PROTOCOL}', 'context'),
    row('@curfew/context.counts.v3', 'context'),
    row('@curfew/context.mark.v${PROTOCOL}', 'context'),
    row('opentelemetry.js.api.1', 'OpenTelemetry', 'node'),
  );
  expect(on(context, slots, http, byName, foreign, rows)).toEqual({ status: 0, problems: '' });
});

it.each<[string, Tree[], RegExp]>([
  [
    'a name that is not in the table',
    [context, table()],
    /context\/src\/index\.ts:1: `@curfew\/context\.node\.v1` is not in docs\/slots\.md/,
  ],
  [
    'a name without a version',
    [pkg('pg', `Symbol.for('@curfew/pg.caller');`), table(row('@curfew/pg.caller', 'pg'))],
    /`@curfew\/pg\.caller` is not called as/,
  ],
  [
    "a name of ours that is called like nobody else's",
    [pkg('pg', `Symbol.for('curfew-caller');`), table(row('curfew-caller', 'pg'))],
    /`curfew-caller` is not called as/,
  ],
  [
    'a name that is made up as the program runs',
    [pkg('pg', 'const mark = (name) => Symbol.for(name);'), table()],
    /pg\/src\/index\.ts:1: the name of what it registers is not written out/,
  ],
  [
    'a slot whose version is another than the table says',
    [
      pkg('pg', `const counts = globalSlot('@curfew/pg.counts', 2, () => ({}));`),
      table(row('@curfew/pg.counts.v1', 'pg')),
    ],
    /`@curfew\/pg\.counts\.v2` is not in docs\/slots\.md/,
  ],
  [
    'an owner that the name contradicts',
    [context, table(row('@curfew/context.node.v1', 'http', 'context'))],
    /is context's by its name and http's by/,
  ],
  [
    "a package that writes the name of another's and is not named",
    [
      context,
      pkg('telemetry', `createContextKey('@curfew/context.node.v1');`),
      table(row('@curfew/context.node.v1', 'context')),
    ],
    /telemetry\/src\/index\.ts:1: .* does not name telemetry/,
  ],
  [
    'a package that takes the constant and is not named',
    [context, http, table(row('@curfew/context.node.v1', 'context'))],
    /http reads `@curfew\/context\.node\.v1` and is not named/,
  ],
  [
    'a row that no source bears out',
    [context, table(row('@curfew/context.node.v1', 'context'), row('@curfew/context.old.v1', 'context'))],
    /no source of context has `@curfew\/context\.old\.v1`/,
  ],
  [
    'a foreign name that nobody uses any more',
    [context, table(row('@curfew/context.node.v1', 'context'), row('io.old', 'OpenTelemetry', 'context'))],
    /no source of ours has `io\.old`/,
  ],
  [
    'a reader that does not read it any more',
    [context, pkg('pg', ''), table(row('@curfew/context.node.v1', 'context', 'pg'))],
    /pg does not read `@curfew\/context\.node\.v1`/,
  ],
])('reports %s', (_, trees, problem) => {
  const { status, problems } = on(...trees);
  expect(problems).toMatch(problem);
  expect(status).toBe(1);
});
