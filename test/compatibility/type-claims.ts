import { join } from 'node:path';
import { finish } from './run-program';

const ROOT = join(__dirname, '..', '..');

/** What is claimed of our declarations: they fit those of the SDK that is found from `dir`, and all are checked. */
export function claimTypes(findDir: () => string): void {
  test('the span processor and the producer fit the types of the SDK, with every declaration checked', async () => {
    const options =
      '--ignoreConfig --noEmit --strict --exactOptionalPropertyTypes --skipLibCheck false --types node';
    const target = '--target es2022 --module node16 --moduleResolution node16';
    const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
    const cwd = findDir();
    const args = [tsc, ...options.split(' '), ...target.split(' '), join(cwd, 'types.ts')];
    const { stdout, code } = await finish(process.execPath, args, { cwd });
    expect([stdout, code]).toEqual(['', 0]);
    // A whole program is checked, every declaration of its dependencies too: half a minute on a busy machine.
  }, 120_000);
}
