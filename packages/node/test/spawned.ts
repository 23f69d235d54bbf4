import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';

/** A program, run as a process of its own with nothing in its environment but what it is given. */
export interface Spawned {
  readonly process: ChildProcess;
  /** Resolves with the groups of the first line, of stdout or stderr, that matches; rejects if the process ends before. */
  line(pattern: RegExp): Promise<string[]>;
  readonly ended: Promise<Ended>;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface SpawnOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** `module` for ES modules. */
  readonly type?: 'commonjs' | 'module';
  /** `false` runs without `--import @curfew/node/register`. */
  readonly register?: boolean;
  /** A module that is imported before `@curfew/node/register`. */
  readonly before?: string;
  /** Flags of Node.js itself. */
  readonly flags?: readonly string[];
  /** What Node.js is to run in place of the program, such as a file. */
  readonly args?: readonly string[];
}

const running = new Set<ChildProcess>();

/** Call it in `afterEach`: a test that failed must not leave a process behind. */
export function endAll(): void {
  for (const child of running) child.kill('SIGKILL');
}

/** No test may depend on port 9464 being free. */
const QUIET = { OTEL_METRICS_EXPORTER: 'none' };

export function launch(
  program: string,
  { env = QUIET, type = 'commonjs', register = true, before, flags = [], args }: SpawnOptions = {},
): Spawned {
  const imports = [
    ...(before === undefined ? [] : [`data:text/javascript,${encodeURIComponent(before)}`]),
    ...(register ? ['@curfew/node/register'] : []),
  ];
  const what = args ?? [`--input-type=${type}`, '-e', program];
  const child = spawn(
    process.execPath,
    [...flags, ...imports.flatMap((name) => ['--import', name]), ...what],
    {
      cwd: join(__dirname, '..'),
      env: { PATH: process.env['PATH'], ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  running.add(child);
  const out = { stdout: '', stderr: '' };
  let onOutput: (() => void)[] = [];
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      out[name] += text;
      for (const each of onOutput) each();
    });
  }
  const ended = new Promise<Ended>((resolve) => {
    child.on('close', (code, signal) => {
      running.delete(child);
      resolve({ code, signal, ...out });
    });
  });
  return {
    process: child,
    ended,
    line: (pattern) =>
      new Promise((resolve, reject) => {
        const look = () => {
          // A line is whole once its end is there.
          const lines = [out.stdout, out.stderr].flatMap((text) => text.split('\n').slice(0, -1));
          const match = lines.map((line) => pattern.exec(line)).find((found) => found !== null);
          if (match === undefined) return;
          onOutput = onOutput.filter((each) => each !== look);
          resolve([...match]);
        };
        onOutput.push(look);
        look();
        void ended.then(({ code, signal }) =>
          reject(new Error(`ended (${code ?? signal}) without ${pattern}\n${out.stdout}\n${out.stderr}`)),
        );
      }),
  };
}

export function run(program: string, options?: SpawnOptions): Promise<Ended> {
  return launch(program, options).ended;
}

/** The lines of a text that are not empty. */
export function linesOf(text: string): string[] {
  return text.split('\n').filter((line) => line !== '');
}
