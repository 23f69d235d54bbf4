import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const PACKAGE = join(__dirname, '..');

/** What differs from run to run: ids, instants and durations. */
function withoutFigures(text: string): string {
  return text
    .replace(/"[0-9a-f]{32}"/g, '"<trace>"')
    .replace(/"[0-9a-f]{16}"/g, '"<span>"')
    .replace(/(# {.*}) .*$/gm, '$1 <value> <time>');
}

test("the README's code for prom-client is at most ten lines, and a scrape holds what the README says", () => {
  const [, section = ''] = readFileSync(join(PACKAGE, 'README.md'), 'utf8').split('\n## prom-client\n');
  const [, code = '', said = ''] = /```js\n([\s\S]*?)```[\s\S]*?```\n([\s\S]*?)\n```/.exec(section) ?? [];
  expect(code.split('\n').filter((line) => line.trim() !== '').length).toBeLessThanOrEqual(10);
  const input = `${code}
    import { scope, sleep } from '@curfew/context';
    await provider.getTracer('shop').startActiveSpan('GET /search', (span) =>
      scope({ name: 'search', timeout: 25 }, (ctx) => sleep(ctx, 1000)).catch(() => span.end()));
    console.log(await registry.metrics());`;
  const run = spawnSync(process.execPath, ['--input-type=module'], { input, cwd: PACKAGE, encoding: 'utf8' });
  expect({ stderr: run.stderr, status: run.status }).toEqual({ stderr: '', status: 0 });
  expect(said).toContain('# {trace_id=');
  expect(withoutFigures(run.stdout)).toContain(withoutFigures(said));
});
