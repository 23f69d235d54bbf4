import { spawn } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { installedFolder, startPostgres, usableBinaries } from '@curfew/throwaway-postgres';
import { Client } from 'pg';

const alive = (pid: number) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

async function until(what: string, condition: () => boolean): Promise<void> {
  const limit = Date.now() + 20_000;
  while (!condition()) {
    if (Date.now() > limit) throw new Error(`never true: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test('a server whose parent is killed with SIGKILL goes with it, and takes its folder along', async () => {
  const script = `
    require(${JSON.stringify(require.resolve('@curfew/throwaway-postgres'))}).startPostgres().then(({ pid, folder }) => {
      process.stdout.write(JSON.stringify({ pid, folder }) + '\\n');
      setInterval(() => undefined, 1000);
    })`;
  // A bare environment, as on a machine with nothing but Node.
  const { HOME, PATH, LANG } = process.env;
  const parent = spawn(process.execPath, ['-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: Object.fromEntries(Object.entries({ HOME, PATH, LANG }).filter(([, value]) => value !== undefined)),
  });
  const line = await new Promise<string>((resolve) =>
    createInterface({ input: parent.stdout }).once('line', resolve),
  );
  const { pid, folder } = JSON.parse(line) as { pid: number; folder: string };
  expect(alive(pid)).toBe(true);
  parent.kill('SIGKILL');
  await until('the server is gone', () => !alive(pid));
  await until('the folder is gone', () => !existsSync(folder));
});

test('a server that nobody stopped does not keep its parent alive', async () => {
  const script = `
    require(${JSON.stringify(require.resolve('@curfew/throwaway-postgres'))}).startPostgres().then(({ pid, folder }) => {
      process.stdout.write(JSON.stringify({ pid, folder }) + '\\n');
    })`;
  const parent = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const output = new Promise<string>((resolve) => {
    createInterface({ input: parent.stdout }).once('line', resolve);
  });
  const code = await new Promise((resolve) => parent.once('exit', resolve));
  const { pid, folder } = JSON.parse(await output) as { pid: number; folder: string };
  expect(code).toBe(0);
  await until('the server is gone', () => !alive(pid));
  await until('the folder is gone', () => !existsSync(folder));
});

test('a server that will not start says so in one line that names the cause, and leaves nothing behind', async () => {
  const folders = () => readdirSync(tmpdir()).filter((name) => name.startsWith('curfew-postgres-'));
  const before = folders();
  const failure = await startPostgres({ settings: { shared_buffers: 'plenty' } }).catch(
    (error: Error) => error,
  );
  expect(failure).toBeInstanceOf(Error);
  const { message } = failure as Error;
  expect(message).toMatch(/^PostgreSQL did not start: postgres failed .*shared_buffers/);
  expect(message).not.toContain('\n');
  await until('its folder is gone', () => folders().every((name) => before.includes(name)));
});

test('it takes sessions over TCP and a Unix socket at once, and stops with sessions open', async () => {
  const postgres = await startPostgres({ settings: { max_connections: '17' } });
  const overTcp = new Client({ connectionString: postgres.connectionString });
  overTcp.on('error', () => undefined);
  await overTcp.connect();
  expect((await overTcp.query('SHOW max_connections')).rows).toEqual([{ max_connections: '17' }]);
  const { user, password, database, port, socketFolder } = postgres;
  const overSocket = new Client({ user, password, database, port, host: socketFolder as string });
  overSocket.on('error', () => undefined);
  await overSocket.connect();
  void overSocket.query('SELECT pg_sleep(600)').catch(() => undefined);
  await postgres.stop();
  await postgres.stop();
  expect(alive(postgres.pid)).toBe(false);
  expect(existsSync(postgres.folder)).toBe(false);
});

test('binaries that cannot be run where they are, for want of links or of rights, run from a copy', async () => {
  const closed = mkdtempSync(join(tmpdir(), 'curfew-closed-'));
  const open = mkdtempSync(join(tmpdir(), 'curfew-open-'));
  try {
    // As npm 11 installs them (no links), below a folder that only its owner may enter (mkdtemp makes it 0700).
    const native = join(closed, 'native');
    mkdirSync(native);
    cpSync(installedFolder(), native, { recursive: true, filter: (from) => !/\.so\.(5|60)$/.test(from) });
    const copy = join(open, 'copy');
    chmodSync(open, 0o755);
    const binaries = await usableBinaries(native, copy);
    expect(binaries.postgres.startsWith(copy)).toBe(true);
    expect(existsSync(join(copy, 'share'))).toBe(true);
    if (process.getuid?.() === 0) expect(binaries.runAs.uid).toBeGreaterThan(0);
    else expect(binaries.runAs).toEqual({});
  } finally {
    rmSync(closed, { recursive: true, force: true });
    rmSync(open, { recursive: true, force: true });
  }
});
