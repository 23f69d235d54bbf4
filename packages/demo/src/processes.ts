import { spawn, type ChildProcess } from 'node:child_process';
import { join, resolve as resolvePath } from 'node:path';
import { createInterface } from 'node:readline';
import { Fault } from './fault';
import type { Word } from './lifeline';

/** A program of the demo, about to be started. */
export interface Program {
  readonly name: string;
  /** A file beside this one, or an absolute path. */
  readonly file: string;
  readonly env: NodeJS.ProcessEnv;
  /** Whether it runs under Curfew: `--import @curfew/node/register`. */
  readonly observed: boolean;
}

/** How a process ended: `exit code 1`, `SIGKILL`. */
export type Exit = string;

/** A process that listens. */
export interface Running {
  readonly name: string;
  readonly pid: number;
  /** Where it is reached. */
  readonly address: string;
  readonly exited: Promise<Exit>;
  /** Asks it to end, kills it if it does not, and resolves once it is gone. */
  stop(): Promise<void>;
}

/** What whoever starts a process gets to hear. */
export interface Ears {
  /** A line that the process wrote. */
  line(name: string, text: string): void;
  /** It ended without having been asked to. */
  lost(name: string, exit: Exit): void;
  /** Anything it sent beside the words of its beginning. */
  message?(name: string, message: unknown): void;
}

const PATIENCE_MS = 3_000;
const START_LIMIT_MS = 30_000;

/**
 * Starts a program and resolves once it listens; rejects with a Fault if it does not. The process leads a group of
 * its own, so that Ctrl-C reaches the starter alone, which then ends everything in order.
 */
export async function startProcess(program: Program, ears: Ears, abandon?: AbortSignal): Promise<Running> {
  if (abandon?.aborted === true) throw new Fault(`${program.name}: stopped before it started`);
  const preload = program.observed ? ['--import', '@curfew/node/register'] : [];
  const child = spawn(process.execPath, [...preload, resolvePath(__dirname, program.file)], {
    // From here Node resolves `@curfew/node/register`, wherever the demo was started.
    cwd: join(__dirname, '..'),
    env: program.env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const name = program.name;
  let asked = false;
  let running = false;
  const exited = exitOf(child);
  for (const stream of [child.stdout, child.stderr]) {
    if (stream !== null) createInterface({ input: stream }).on('line', (text) => ears.line(name, text));
  }
  const stop = async () => {
    asked = true;
    child.kill('SIGTERM');
    const killer = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
    await exited;
    clearTimeout(killer);
  };
  void exited.then((exit) => {
    if (running && !asked) ears.lost(name, exit);
  });
  try {
    const address = await addressOf(child, name, exited, abandon);
    running = true;
    child.on('message', (message) => ears.message?.(name, message));
    return { name, pid: child.pid ?? 0, address, exited, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function exitOf(child: ChildProcess): Promise<Exit> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`));
    child.once('error', (error) => resolve(error.message));
  });
}

/** Waits for the process's first word. */
function addressOf(
  child: ChildProcess,
  name: string,
  exited: Promise<Exit>,
  abandon: AbortSignal | undefined,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const fail = (message: string) => reject(new Fault(`${name}: ${message}`));
    const abandoned = () => fail('stopped before it had started');
    const limit = setTimeout(() => fail(`not listening after ${START_LIMIT_MS / 1000} s`), START_LIMIT_MS);
    abandon?.addEventListener('abort', abandoned);
    child.once('message', (word: Word) => {
      if ('listening' in word) resolve(word.listening);
      else fail(word.fault);
    });
    // The word may still be on its way when the exit is seen: the channel closes after it.
    child.once('disconnect', () => void exited.then((exit) => fail(`ended before it listened (${exit})`)));
    void exited.then(() => {
      clearTimeout(limit);
      abandon?.removeEventListener('abort', abandoned);
    });
    child.once('message', () => {
      clearTimeout(limit);
      abandon?.removeEventListener('abort', abandoned);
    });
  });
}
