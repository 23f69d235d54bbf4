import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { chmod, chown, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { installedFolder, usableBinaries, type Binaries } from './binaries';

/**
 * The process between us and PostgreSQL. It reads its order from the first line of standard input, writes one
 * line of report, and stops everything once its input ends: on `stop()`, and just the same when the process that
 * wanted the server is killed.
 */
export interface GuardOrder {
  readonly settings: Readonly<Record<string, string>>;
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  readonly startTimeout: number;
  readonly stopTimeout: number;
}

export type GuardReport =
  | { readonly error: string }
  | {
      readonly port: number;
      readonly user: string;
      readonly password: string;
      readonly database: string;
      readonly socketFolder: string | undefined;
      readonly pid: number;
      readonly folder: string;
    };

const USER = 'postgres';
const DATABASE = 'postgres';

/** Durability is given up for speed: the data does not outlive the process anyway. */
const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1',
  max_connections: '50',
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  wal_level: 'minimal',
  max_wal_senders: '0',
  shared_buffers: '32MB',
  // No shared memory objects outside the folder, so that nothing is left even after SIGKILL.
  dynamic_shared_memory_type: 'mmap',
  // Its worker processes would be three more for nothing.
  io_method: 'sync',
  jit: 'off',
};

/** The longest path of a Unix socket that every system takes, less the name of the file. */
const MAX_SOCKET_FOLDER = 103 - '/.s.PGSQL.65535'.length;

let server: ChildProcess | undefined;
let folder: string | undefined;
let leaving: Promise<void> | undefined;
let stopTimeout = 10_000;

async function start(order: GuardOrder): Promise<GuardReport> {
  const until = Date.now() + order.startTimeout;
  folder = await freshFolder();
  const binaries = await usableBinaries(installedFolder(), join(folder, 'native'));
  const data = join(folder, 'data');
  await mkdir(data, { mode: 0o700 });
  await give(data, binaries);
  const password = randomBytes(12).toString('hex');
  await initialise(binaries, data, password, until);
  const settings: Record<string, string> = { ...SETTINGS, unix_socket_directories: '' };
  const socketFolder = data.length <= MAX_SOCKET_FOLDER && process.platform !== 'win32' ? data : undefined;
  if (socketFolder !== undefined) settings['unix_socket_directories'] = socketFolder;
  if (order.tls !== undefined) {
    settings['ssl'] = 'on';
    settings['ssl_cert_file'] = await secret(join(data, 'server.crt'), order.tls.cert, binaries);
    settings['ssl_key_file'] = await secret(join(data, 'server.key'), order.tls.key, binaries);
  }
  Object.assign(settings, order.settings);
  const port = await serve(binaries, data, settings, until);
  const pid = server?.pid ?? 0;
  return { port, user: USER, password, database: DATABASE, socketFolder, pid, folder };
}

/** A folder that only we can write to and that the unprivileged user can enter. */
async function freshFolder(): Promise<string> {
  const base = process.getuid?.() === 0 && !(await openToAll(tmpdir())) ? '/tmp' : tmpdir();
  const made = await mkdtemp(join(base, 'curfew-postgres-'));
  await chmod(made, 0o755);
  return made;
}

/** Whether any user can enter a folder: a TMPDIR of root's own often sits below one that is closed to others. */
async function openToAll(path: string): Promise<boolean> {
  for (let at = path; ; at = dirname(at)) {
    if (((await stat(at)).mode & 0o001) === 0) return false;
    if (at === dirname(at)) return true;
  }
}

async function give(path: string, { runAs }: Binaries): Promise<void> {
  if (runAs.uid !== undefined && runAs.gid !== undefined) await chown(path, runAs.uid, runAs.gid);
}

async function secret(path: string, text: string, binaries: Binaries): Promise<string> {
  await writeFile(path, text, { mode: 0o600 });
  await give(path, binaries);
  return path;
}

async function initialise(binaries: Binaries, data: string, password: string, until: number): Promise<void> {
  const passwordFile = await secret(join(dirname(data), 'password'), `${password}\n`, binaries);
  const log = join(dirname(data), 'initdb.log');
  const initdb = launch(
    binaries.initdb,
    [
      '-D',
      data,
      '-U',
      USER,
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale=C',
      '--no-sync',
    ],
    binaries,
    data,
    log,
  );
  const failed = await settled(initdb, until);
  if (failed !== undefined) throw new Error(`initdb ${failed}${await complaint(log)}`);
  await rm(passwordFile, { force: true });
}

/** Starts the server on a free port, which somebody else may take before it does: then on another one. */
async function serve(
  binaries: Binaries,
  data: string,
  settings: Readonly<Record<string, string>>,
  until: number,
): Promise<number> {
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  for (let attempt = 1; ; attempt++) {
    const port = await freePort();
    const log = join(dirname(data), `postgres-${attempt}.log`);
    const child = launch(binaries.postgres, ['-D', data, '-p', String(port), ...flags], binaries, data, log);
    server = child;
    const failed = await ready(child, data, until);
    if (failed === undefined) return port;
    const why = await complaint(log);
    if (attempt < 5 && why.includes('could not bind')) continue;
    throw new Error(`postgres ${failed}${why}`);
  }
}

function launch(
  program: string,
  args: string[],
  { runAs }: Binaries,
  cwd: string,
  log: string,
): ChildProcess {
  const output = openSync(log, 'a');
  try {
    return spawn(program, args, { ...runAs, cwd, stdio: ['ignore', output, output], windowsHide: true });
  } finally {
    closeSync(output);
  }
}

/** Waits for a program to end; `undefined` if all went well, otherwise how it failed. */
function settled(child: ChildProcess, until: number): Promise<string | undefined> {
  server = child;
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      resolve('took too long');
    }, until - Date.now());
    child.once('error', (error) => resolve(`could not be started (${error.message})`));
    child.once('exit', (code, signal) => {
      clearTimeout(timer);
      resolve(code === 0 ? undefined : `failed (${signal ?? `exit code ${code}`})`);
    });
  });
}

/** Waits until the server takes connections, which it writes to the last line of its lock file, as pg_ctl reads it. */
async function ready(child: ChildProcess, data: string, until: number): Promise<string | undefined> {
  let ended: string | undefined;
  child.once('error', (error) => (ended = `could not be started (${error.message})`));
  child.once('exit', (code, signal) => (ended = `failed (${signal ?? `exit code ${code}`})`));
  while (ended === undefined) {
    const lock = await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => '');
    if (lock.split('\n')[7]?.trim() === 'ready' && lock.startsWith(`${child.pid}\n`)) return undefined;
    if (Date.now() > until) return 'was not ready in time';
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return ended;
}

/** The line of a log that says what is wrong. */
async function complaint(log: string): Promise<string> {
  const lines = (await readFile(log, 'utf8').catch(() => ''))
    .split('\n')
    .filter((line) => line.trim() !== '');
  const line = lines.find((each) => /could not|fatal|error|no space/i.test(each)) ?? lines.at(-1);
  return line === undefined ? '' : `: ${line.trim()}`;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}

/** Stops the server with more force at each third of the limit, and removes the folder. */
async function leave(): Promise<void> {
  const child = server;
  if (child?.pid !== undefined && child.exitCode === null && child.signalCode === null) {
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    const timers = [
      setTimeout(() => child.kill('SIGQUIT'), stopTimeout / 3),
      setTimeout(() => child.kill('SIGKILL'), (stopTimeout * 2) / 3),
    ];
    // PostgreSQL's fast shutdown: sessions are ended, transactions rolled back.
    child.kill('SIGINT');
    await gone;
    for (const timer of timers) clearTimeout(timer);
  }
  if (folder !== undefined)
    await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
}

function exit(): void {
  leaving ??= leave().then(
    () => process.exit(0),
    () => process.exit(1),
  );
}

/** One line for the user: what failed, and what to do about it if that is known. */
function describe(error: unknown): string {
  const { message, code } = error as NodeJS.ErrnoException;
  const advice =
    code === 'ENOSPC' || /no space left/i.test(message)
      ? '; free some space, or set TMPDIR to a larger disk'
      : '';
  return `PostgreSQL did not start: ${message.replace(/\s*\n\s*/g, ' ')}${advice}.`;
}

function tell(report: GuardReport): void {
  process.stdout.write(`${JSON.stringify(report)}\n`);
}

const input = createInterface({ input: process.stdin });
input.once('line', (line) => {
  const order = JSON.parse(line) as GuardOrder;
  stopTimeout = order.stopTimeout;
  start(order).then(tell, (error: unknown) => {
    if (leaving === undefined) tell({ error: describe(error) });
    exit();
  });
});
input.once('close', exit);
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, exit);
process.stdout.on('error', exit);
