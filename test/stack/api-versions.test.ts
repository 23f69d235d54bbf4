import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

// The least OpenTelemetry API that the peer range allows, and the next minor, whose ES modules are other objects than
// its CommonJS ones. They come from the registry, so this cannot be part of `npm test`.

const ROOT = join(__dirname, '..', '..');

/** What an application does with contexts, as its own process. `API` and `CURFEW` are filled in. */
const PROGRAM = `
const { context, createContextKey, propagation, ROOT_CONTEXT, trace } = API;
const { active, background, from, isCanceled, onEnd, scope, sleep, withCancel, withTimeout } = CURFEW;

const USER = createContextKey('user');
const span = trace.wrapSpanContext({ traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', traceFlags: 1 });
const baggage = propagation.createBaggage({ k: { value: 'v' } });

// Without a ContextManager.
{
  const [ctx, cancel] = withCancel(ROOT_CONTEXT.setValue(USER, 'ada'));
  assert.equal(context.with(ctx, () => active().signal), undefined);
  const [child] = withCancel(propagation.setBaggage(trace.setSpan(ctx, span), baggage));
  cancel('why');
  assert.equal(child.cause(), 'why');
  assert.equal(child.getValue(USER), 'ada');
  assert.equal(trace.getSpan(child), span);
  assert.equal(propagation.getBaggage(child), baggage);
}

assert.ok(context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable()));
{
  const [ctx, cancel] = withTimeout(background(), 60_000);
  const seen = [];
  context.with(ctx.setValue(USER, 'registrar'), () => onEnd(ctx, () => seen.push(context.active().getValue(USER))));
  const work = scope(trace.setSpan(ctx, span), { name: 'price' }, async (inner) => {
    await Promise.resolve();
    assert.equal(active().getValue(USER), undefined);
    assert.equal(trace.getSpan(context.active()), span);
    assert.equal(active().signal, inner.signal);
    assert.equal(context.bind(inner, () => active())(), inner);
    await sleep(active(), 60_000);
  });
  const failed = assert.rejects(work, isCanceled);
  await Promise.resolve();
  // Re-wrapped over this module system's own root.
  const NODE = createContextKey('@curfew/context.node.v1');
  const rewrapped = ROOT_CONTEXT.setValue(NODE, ctx.getValue(NODE));
  assert.equal(from(rewrapped).deadline()?.getTime(), ctx.deadline()?.getTime());
  const [child] = withCancel(rewrapped);
  cancel('why');
  assert.equal(child.cause(), 'why');
  await failed;
  assert.deepEqual(seen, ['registrar']);
}
console.log('passed');
`;

const MODULES = { API: '@opentelemetry/api', CURFEW: '@curfew/context' };

const CJS = `
const assert = require('node:assert/strict');
const { AsyncLocalStorageContextManager } = require('@opentelemetry/context-async-hooks');
${Object.entries(MODULES)
  .map(([name, module]) => `const ${name} = require('${module}');`)
  .join('\n')}
(async () => {${PROGRAM}})();`;

const ESM = `
import assert from 'node:assert/strict';
import hooks from '@opentelemetry/context-async-hooks';
${Object.entries(MODULES)
  .map(([name, module]) => `import * as ${name} from '${module}';`)
  .join('\n')}
const { AsyncLocalStorageContextManager } = hooks;
${PROGRAM}`;

/** A user's project with this version of the API, or nothing where there is no registry. */
function projectWith(version: string): string | undefined {
  const dir = mkdtempSync(join(tmpdir(), 'curfew-api-'));
  writeFileSync(join(dir, 'package.json'), '{ "private": true }');
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('npm_')));
  const args = ['install', '--no-save', '--no-audit', '--no-fund', '--ignore-scripts', '--fetch-retries=1'];
  const { status, stderr } = spawnSync('npm', [...args, `@opentelemetry/api@${version}`], {
    cwd: dir,
    env,
    encoding: 'utf8',
    timeout: 60_000,
  });
  if (status !== 0) {
    if (/ERESOLVE|ETARGET|E404/.test(stderr)) throw new Error(stderr);
    console.log(`skipped: no registry to get @opentelemetry/api ${version} from`);
    rmSync(dir, { recursive: true });
    return undefined;
  }
  const modules = join(dir, 'node_modules');
  // Copied, not linked: a link would find this repository's own API.
  cpSync(join(ROOT, 'packages', 'context'), join(modules, '@curfew', 'context'), {
    recursive: true,
    filter: (path) => !/\/(node_modules|src|test|bench)$/.test(path),
  });
  const hooks = join('@opentelemetry', 'context-async-hooks');
  cpSync(join(ROOT, 'node_modules', hooks), join(modules, hooks), { recursive: true });
  writeFileSync(join(dir, 'program.cjs'), CJS);
  writeFileSync(join(dir, 'program.mjs'), ESM);
  return dir;
}

describe.each(['1.9.0', '1.10.0'])('with @opentelemetry/api %s', (version) => {
  const dir = projectWith(version);
  afterAll(() => {
    if (dir !== undefined) rmSync(dir, { recursive: true, force: true });
  });

  (dir === undefined ? test.skip : test).each(['program.cjs', 'program.mjs'])('%s works', (program) => {
    const { stdout, stderr } = spawnSync(process.execPath, [program], { cwd: dir, encoding: 'utf8' });
    expect([stdout, stderr]).toEqual(['passed\n', '']);
  });
});
