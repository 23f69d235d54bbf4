import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const SPAN = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', traceFlags: 1 };

/** What differs from run to run: ids, instants, durations and the machine. */
function withoutFigures(text: string): string {
  return text.replace(/"[0-9a-f]{16,32}"|\b\d{1,13}\b|(?<="hostname":)"[^"]*"/g, '…');
}

test("the README's code is at most ten lines, and prints what the README says but for ids and times", () => {
  const [, section = ''] = readFileSync(join(__dirname, '..', 'README.md'), 'utf8').split('\n## Logs\n');
  const [, code = '', said = ''] = /```js\n([\s\S]*?)```[\s\S]*?```\n([\s\S]*?)```/.exec(section) ?? [];
  expect(code.split('\n').filter((line) => line.trim() !== '').length).toBeLessThanOrEqual(10);
  const [, imports = '', rest = ''] = /^((?:import .*\n)+)([\s\S]*)$/.exec(code) ?? [];
  const input = `${imports}
    import { context, trace } from '@opentelemetry/api';
    import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    const span = ${JSON.stringify(SPAN)};
    context.with(trace.setSpanContext(context.active(), span), () => {${rest}});`;
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--input-type=module'], {
    input,
    cwd: __dirname,
    encoding: 'utf8',
  });
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
  expect(withoutFigures(stdout)).toBe(withoutFigures(said));
});
