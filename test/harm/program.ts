import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { call, type Call, type Protocol } from './client';

export interface Launch {
  readonly node: string;
  readonly dir: string;
  readonly program: string;
  readonly protocol: Protocol;
  /** Whether Curfew is switched on. */
  readonly register: boolean;
  readonly env: Readonly<Record<string, string>>;
}

/** How a process ended. */
export interface Death {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** What a program says of itself when it is asked for its plain answer. */
export interface Pulse {
  /** Responses that have not closed. */
  readonly open: number;
  /** Handlers that have not settled. */
  readonly busy: number;
  /** The most processor time between two heartbeats since it was asked last, in milliseconds. */
  readonly gap: number;
}

/** A process that runs one program. */
export interface Program {
  /** Resolves once it listens; rejects where it ends before. */
  readonly ready: Promise<void>;
  /** Resolves when it has ended and all that it wrote is read. */
  readonly dead: Promise<Death>;
  call(path: string, headers?: Readonly<Record<string, string>>): Call;
  /** Rejects where it does not answer as it should. */
  pulse(): Promise<Pulse>;
  /** Resolves with the first match on stderr. */
  says(pattern: RegExp): Promise<RegExpExecArray>;
  /** What it wrote on stderr since it was asked last. */
  stderr(): string;
  stdout(): string;
  kill(signal: NodeJS.Signals): void;
}

/** Longer than a plain answer takes on a loaded machine, and shorter than a starved loop would be noticed. */
const PULSE_LIMIT_MS = 10_000;

export function startProgram({ node, dir, program, protocol, register, env }: Launch): Program {
  const args = [...(register ? ['--import', '@curfew/node/register'] : []), join(dir, program)];
  const child = spawn(node, args, {
    cwd: dir,
    // Nobody's settings for OpenTelemetry or Node.js, whoever runs this.
    env: { PATH: process.env.PATH, OTEL_EXPORTER_PROMETHEUS_PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stderr = '';
  let stdout = '';
  let port = 0;
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
  const dead = new Promise<Death>((resolve) =>
    child.once('close', (code, signal) => resolve({ code, signal })),
  );
  const ready = new Promise<void>((resolve, reject) => {
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      stdout += chunk;
      port = Number(/^port (\d+)$/m.exec(stdout)?.[1] ?? 0);
      if (port > 0) resolve();
    });
    void dead.then(() => reject(new Error(`${program} ended before it listened:\n${stderr}`)));
  });
  ready.catch(() => {});
  return {
    ready,
    dead,
    call: (path, headers) => call(protocol, port, path, headers),
    async pulse() {
      const limit = performance.now() + PULSE_LIMIT_MS;
      for (;;) {
        const asking = call(protocol, port, '/plain');
        const { status, body } = await within(PULSE_LIMIT_MS, 'plain answer', asking.answer);
        if (status === 200) return JSON.parse(body) as Pulse;
        // A limit of the server's own is for this request too, and a loaded machine may miss it.
        if (status !== 504 || performance.now() > limit) {
          throw new Error(`no plain answer but one with status ${status}`);
        }
      }
    },
    says: (pattern) =>
      new Promise((resolve) => {
        const look = () => {
          const match = pattern.exec(stderr);
          if (match === null) return;
          child.stderr.off('data', look);
          resolve(match);
        };
        child.stderr.on('data', look);
        look();
      }),
    stderr() {
      const since = stderr;
      stderr = '';
      return since;
    },
    stdout: () => stdout,
    kill: (signal) => void child.kill(signal),
  };
}

/** Bounds a wait that ends by itself unless something is wrong. */
export async function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no ${what} within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, limit]);
  } finally {
    clearTimeout(timer);
  }
}
