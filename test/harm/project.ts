import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ROOT = join(__dirname, '..', '..');

/** A user's project: the programs, and our packages as they would be published. */
export interface ForeignProject {
  readonly dir: string;
  remove(): void;
}

/**
 * What others publish is installed once for a lock file, beside other temporary files; each run has a folder of its
 * own within, from which Node.js finds ours first and then theirs. `undefined` where there is no registry.
 */
export function foreignProject(): ForeignProject | undefined {
  const shared = installed();
  if (shared === undefined) return undefined;
  const dir = mkdtempSync(join(shared, 'run-'));
  unpackOurs(dir);
  cpSync(join(__dirname, 'programs'), dir, { recursive: true });
  return { dir, remove: () => rmSync(dir, { recursive: true, force: true }) };
}

function installed(): string | undefined {
  const source = join(__dirname, 'project');
  const lock = readFileSync(join(source, 'package-lock.json'));
  const dir = join(tmpdir(), `curfew-harm-${createHash('sha256').update(lock).digest('hex').slice(0, 12)}`);
  if (existsSync(dir)) return dir;
  const fresh = mkdtempSync(join(tmpdir(), 'curfew-harm-'));
  cpSync(source, fresh, { recursive: true });
  const options = [
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--fetch-retries=1',
    '--engine-strict=false',
  ];
  const { status, stderr } = spawnSync('npm', ['ci', ...options], {
    cwd: fresh,
    env: withoutNpm(),
    encoding: 'utf8',
  });
  if (status !== 0) {
    rmSync(fresh, { recursive: true, force: true });
    if (/EUSAGE|ERESOLVE|ETARGET|EINTEGRITY|E404/.test(stderr)) throw new Error(stderr);
    return undefined;
  }
  try {
    renameSync(fresh, dir);
  } catch {
    // Another run was quicker, and its installation is as good.
    rmSync(fresh, { recursive: true, force: true });
  }
  return dir;
}

interface Packed {
  readonly manifest: { readonly name: string; readonly dependencies?: Readonly<Record<string, string>> };
  readonly tarball: string;
}

function unpackOurs(dir: string): void {
  const tarballs = join(dir, 'tarballs');
  mkdirSync(tarballs);
  // The script is an ES module, which Jest does not load.
  const pack = `import { packAll } from ${JSON.stringify(join(ROOT, 'scripts', 'pack.mjs'))};
    console.log(JSON.stringify(packAll(...process.argv.slice(1))));`;
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', pack, ROOT, tarballs], {
    env: withoutNpm(),
    encoding: 'utf8',
  });
  for (const { manifest, tarball } of JSON.parse(output) as Packed[]) {
    const target = join(dir, 'node_modules', manifest.name);
    mkdirSync(target, { recursive: true });
    execFileSync('tar', ['-xzf', tarball, '-C', target, '--strip-components', '1']);
    expectInstalled(manifest);
  }
}

/** The project's lock file holds what ours depend on, in the versions that they name. */
function expectInstalled({ name, dependencies = {} }: Packed['manifest']): void {
  const manifest = JSON.parse(readFileSync(join(__dirname, 'project', 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  for (const [needed, version] of Object.entries(dependencies)) {
    if (needed.startsWith('@curfew/') || manifest.dependencies[needed] === version) continue;
    throw new Error(`${name} needs ${needed} ${version}: put it into test/harm/project and its lock file`);
  }
}

/** npm reads its own settings from the environment that `npm test` made; a nested run starts afresh. */
function withoutNpm(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([key]) => !key.startsWith('npm_')));
}
