import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { guarded, installGuard } from '@curfew/context/spi';

interface Result {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a program that has last words to say; Jest's own `process` is none that Node speaks to. */
function program(what: string, more: readonly string[] = [], flags: readonly string[] = []): Promise<Result> {
  const args = [...flags, join(__dirname, 'fixtures/last-words.cjs'), what, ...more];
  return new Promise((resolve) => {
    execFile(process.execPath, args, (error, out, err) => {
      // A stack names the lines of the guard, and Node the process.
      const said = err.replace(/^\s+at .*\n/gm, '').replace(/\(node:\d+\)/g, '(node)');
      resolve({ code: Number(error?.code ?? 0), out, err: said });
    });
  });
}

const MODES = ['throw', 'strict', 'warn', 'none', 'warn-with-error-code'];
const flag = (mode: string) => [`--unhandled-rejections=${mode}`];
const CANCELED = 'context canceled';

describe.each(MODES)('with --unhandled-rejections=%s', (mode) => {
  test('an error of ours ends no process, and nobody hears of it', async () => {
    const { code, out } = await program('ours', ['listening'], flag(mode));
    // Once each: rejected, wrapped, summed up, thrown, and caught too late.
    const taken = ['All promises were rejected', CANCELED, CANCELED, CANCELED, 'wrapped'];
    expect([code, out]).toEqual([0, `alive ${JSON.stringify(taken)}\n`]);
  });

  test("any other error ends it as Node has it, and the program's own ends do", async () => {
    for (const what of ['their rejection', 'their exception', "the program's own end"]) {
      const [guarded, plain] = await Promise.all([
        program(what, [], flag(mode)),
        program(what, ['unguarded'], flag(mode)),
      ]);
      expect(guarded).toEqual(plain);
    }
    const [heard, plain] = await Promise.all([
      program('their rejection', ['listening'], flag(mode)),
      program('their rejection', ['listening', 'unguarded'], flag(mode)),
    ]);
    expect(heard).toEqual(plain);
  });
});

describe('an error without a mark, raised in the context of a request', () => {
  test.each([
    ['reset after a hang-up', 'lives'],
    ['body gone after a hang-up', 'lives'],
    // What we close at a deadline would be open without us.
    ['response gone after a deadline', 'lives'],
    ['nothing to pipe to after a deadline', 'lives'],
    // A response that its client has left fails without us too.
    ['response gone after a hang-up', 'dies'],
    ['nothing to pipe to after a hang-up', 'dies'],
    ['reset after a hang-up that cut nothing', 'dies'],
    ['reset long after a hang-up', 'dies'],
    ['reset after a cancel', 'dies'],
    ['bug after a hang-up', 'dies'],
  ])('%s: the process %s', async (what, fate) => {
    const { code, out } = await program(what);
    expect([code, out.startsWith('alive')]).toEqual(fate === 'lives' ? [0, true] : [1, false]);
  });
});

describe('what else stands at process.emit', () => {
  test('a patch over the guard is patched over', async () => {
    const { code, out } = await program('patched over');
    expect([code, out]).toEqual([0, `true\nalive ["${CANCELED}"]\n`]);
  });

  test('one that never ends is left to win, and nothing is cancelled any more', async () => {
    expect((await program('patched over for ever')).out).toBe('false\nalive []\n');
  });

  test('two installed copies are one guard, up to the last of them', async () => {
    const { code, out } = await program('two copies');
    expect([code, out]).toEqual([0, 'true true\ntrue\ntrue true true\nalive ["marked by the other"]\n']);
  });

  test('nothing of it is left after a hundred of them have come and gone', () => {
    const { emit } = process;
    for (let i = 0; i < 100; i++) {
      const undo = installGuard();
      expect([guarded(), process.emit === emit]).toEqual([true, false]);
      undo();
      undo();
    }
    expect([guarded(), process.emit === emit]).toEqual([false, true]);
  });
});

describe('a program that is not guarded', () => {
  test('has a capture callback, which gets what we would have taken', async () => {
    expect((await program('a capture callback')).out).toBe(`false false\ncaptured ${CANCELED}\nalive []\n`);
  });

  test('uses domains', async () => {
    expect((await program('a domain')).out).toBe('false false\nalive []\n');
  });

  test('does not want it', async () => {
    expect((await program('no guard wanted')).out).toBe('true\nfalse false\nalive []\n');
  });

  test.each(['--abort-on-uncaught-exception', '--abort_on_uncaught_exception'])(
    'aborts at once: %s',
    async (given) => {
      expect((await program('asked', [], [given])).out).toBe('false\nalive []\n');
    },
  );
});
