import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

// In a process of its own, since Jest maps the frames of what it runs.

let root: string;
beforeAll(() => (root = mkdtempSync(join(tmpdir(), 'stacks '))));
afterAll(() => rmSync(root, { recursive: true }));

const program = `
  const { background, scope, withCancel } = require(${JSON.stringify(require.resolve('@curfew/context'))});
  const { install } = require(${JSON.stringify(require.resolve('@curfew/telemetry'))});
  const { diag } = require(${JSON.stringify(require.resolve('@opentelemetry/api'))});
  const quiet = () => undefined;
  diag.setLogger({ warn: (line) => console.log(line), error: quiet, info: quiet, debug: quiet, verbose: quiet });
  install({ lingerAfter: 1, captureStacks: 1 });
  function openCart() {
    return WAY;
  }
  const cart = openCart();
  setTimeout(() => process.exit(), 100);`;

const ways = {
  withCancel: "withCancel(background(), { name: 'cart' })",
  scope: "scope({ name: 'cart' }, () => new Promise(() => undefined))",
};

/** The frames that a warning has of a program in a file at this path. */
function frames(path: string, way: keyof typeof ways, ...args: string[]): string[] {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, program.replace('WAY', ways[way]));
  const { stdout, stderr } = spawnSync(process.execPath, [...args, file], { encoding: 'utf8' });
  if (!stdout.includes('made here:')) throw new Error(stdout + stderr);
  return stdout
    .split('made here:\n')[1]!
    .split('\n')
    .filter((line) => line.includes(':'))
    .map((line) => line.replace(root, '').trim());
}

test.each([
  ['packages/context/src/cart.cjs', 'withCancel'],
  ['packages/telemetry/dist/cart.cjs', 'scope'],
  ['curfew/src/cart.cjs', 'withCancel'],
  ['curfew/context/dist/hooks.js', 'scope'],
  ['curfew/context/dist/plumbing/hooks.js', 'withCancel'],
  ['dist (copy)/stacks.js', 'withCancel'],
] as const)('the frames of a user in %s are told, and none of ours', (path, way) => {
  const told = frames(path, way);
  expect(told[0]).toMatch(/^at openCart /);
  expect(told[0]).toContain(join('/', path));
  expect(told.join('\n')).not.toMatch(/packages\/(context|telemetry)\/dist\/(?!cart)/);
});

test('so they are where source maps are in use', () => {
  const told = frames('packages/context/src/cart.cjs', 'scope', '--enable-source-maps');
  expect(told[0]).toMatch(/^at openCart .*packages\/context\/src\/cart\.cjs/);
});
