import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const program = join(__dirname, 'fixtures/nobody-handles.cjs');

describe.each(['hang-up', 'deadline'])('a call that ends at a %s', (how) => {
  test.each(['before', 'after'])(
    '%s the head of its upstream is no death of a program that handles no error',
    async (where) => {
      const { stdout, stderr } = await run(process.execPath, [program, how, where]);
      expect([JSON.parse(stdout), stderr]).toEqual([{ deaths: [], guarded: true, hookErrors: 0 }, '']);
    },
  );
});
