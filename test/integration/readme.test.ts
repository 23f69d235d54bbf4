import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(__dirname, '..', '..');

test("the README's code is at most ten lines and prints what the README says it prints", () => {
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const [, code = '', said = ''] = /```js\n([\s\S]*?)```\n\n```\n([\s\S]*?)```/.exec(readme) ?? [];
  expect(code.split('\n').filter((line) => line.trim() !== '').length).toBeLessThanOrEqual(10);
  // Within the repository, so that the packages resolve as they would where they are installed.
  const folder = mkdtempSync(join(ROOT, 'test', 'readme-'));
  try {
    writeFileSync(join(folder, 'shop.mjs'), code);
    const { stdout, stderr, status } = spawnSync(process.execPath, ['shop.mjs'], {
      cwd: folder,
      encoding: 'utf8',
      // The port of the README may be taken here.
      env: { PATH: process.env.PATH, OTEL_EXPORTER_PROMETHEUS_PORT: '0' },
    });
    expect({ stdout, stderr, status }).toEqual({ stdout: said, stderr: '', status: 0 });
  } finally {
    rmSync(folder, { recursive: true });
  }
});
