import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** `npm start`'s own command, in a folder for temporary files of its own, with next to nothing in its environment. */
export interface Demo {
  readonly child: ChildProcess;
  /** All that it wrote so far, stdout and stderr together. */
  text(): string;
  /** Resolves once the text matches. */
  says(pattern: RegExp): Promise<RegExpExecArray>;
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  /** Processes of this demo that exist, found by their environment. Empty where there is no /proc. */
  processes(): number[];
  /** What lies in the folder for temporary files. */
  leftovers(): string[];
  /** For the end of a test, however it went. */
  dispose(): void;
}

const MAIN = require.resolve('../../packages/demo/dist/main.js');

export function startDemo(args: readonly string[], env: Readonly<Record<string, string>> = {}): Demo {
  const folder = mkdtempSync(join(tmpdir(), 'curfew-demo-test-'));
  // As root, PostgreSQL runs as another user, who has to get in.
  chmodSync(folder, 0o755);
  const { PATH = '', HOME = '' } = process.env;
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { PATH, HOME, LANG: 'C', CI: 'true', TMPDIR: folder, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  const listeners = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      for (const listener of listeners) listener();
    });
  }
  // `close`, not `exit`: by then all that it wrote has been read.
  const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) =>
    child.once('close', (code, signal) => resolve({ code, signal })),
  );
  return {
    child,
    text: () => text,
    exited,
    says: (pattern) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const match = pattern.exec(text);
          if (match === null) return;
          listeners.delete(look);
          resolve(match);
        };
        listeners.add(look);
        look();
        void exited.then(() => reject(new Error(`ended without saying ${String(pattern)}:\n${text}`)));
      }),
    processes: () => processesWith(`TMPDIR=${folder}`),
    leftovers: () => readdirSync(folder),
    dispose() {
      child.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function processesWith(variable: string): number[] {
  if (!existsSync('/proc')) return [];
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(variable);
      } catch {
        // Gone since, or somebody else's.
        return false;
      }
    })
    .map(Number);
}
