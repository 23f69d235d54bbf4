import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

export const ROOT = join(__dirname, '..', '..');

export interface Manifest {
  readonly name: string;
  readonly private?: boolean;
  readonly types?: string;
  readonly exports: Readonly<Record<string, { readonly types: string; readonly default: string }>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

export interface Published {
  readonly dir: string;
  readonly manifest: Manifest;
}

/** Every package that goes to the registry: a new one is tested from the day it has an index. */
export function published(): Published[] {
  return readdirSync(join(ROOT, 'packages'))
    .map((folder) => join(ROOT, 'packages', folder))
    .filter((dir) => existsSync(join(dir, 'src', 'index.ts')))
    .map((dir) => ({
      dir,
      manifest: JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8')) as Manifest,
    }))
    .filter(({ manifest }) => manifest.private !== true);
}

/** What a user writes after `import`: the package, and each of its other entry points. */
export function entryPoints({ manifest }: Published): string[] {
  return Object.keys(manifest.exports)
    .filter((key) => key !== './package.json')
    .map((key) => manifest.name + key.slice(1));
}

/**
 * A user's project with the tarballs installed, without a registry: ours are unpacked as npm would, what they depend
 * on is linked from this repository.
 */
export class Project {
  readonly dir = mkdtempSync(join(tmpdir(), 'curfew-user-'));

  constructor(packages: readonly Published[]) {
    const tarballs = mkdtempSync(join(tmpdir(), 'curfew-tarballs-'));
    try {
      const chosen = packages.flatMap(({ manifest }) => ['--workspace', manifest.name]);
      npm(['pack', '--silent', '--ignore-scripts', '--pack-destination', tarballs, ...chosen]);
      for (const { manifest } of packages) {
        const file = readdirSync(tarballs).find((it) =>
          it.startsWith(`${manifest.name.slice(1).replace('/', '-')}-`),
        );
        if (file === undefined) throw new Error(`npm pack made no tarball of ${manifest.name}`);
        this.#unpack(join(tarballs, file), manifest.name);
      }
    } finally {
      rmSync(tarballs, { recursive: true, force: true });
    }
    for (const { dir, manifest } of packages) {
      const needed = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies });
      for (const name of needed.filter((it) => !it.startsWith('@curfew/'))) this.#link(name, dir);
    }
  }

  /** Makes the type declarations of a third party visible, or leaves them out. */
  addTypes(...names: string[]): void {
    for (const name of names) this.#link(`@types/${name}`, ROOT);
  }

  run(program: string, args: readonly string[]): { status: number | null; output: string } {
    // Whoever runs this test may have its own settings for OpenTelemetry; a user's process starts from none.
    const env = { PATH: process.env.PATH, OTEL_TRACES_EXPORTER: 'none', OTEL_METRICS_EXPORTER: 'none' };
    const result = spawnSync(program, args, { cwd: this.dir, encoding: 'utf8', env, timeout: 60_000 });
    return {
      status: result.status,
      output: `${result.stdout}${result.stderr}${result.error?.message ?? ''}`,
    };
  }

  node(...args: string[]): { status: number | null; output: string } {
    return this.run(process.execPath, args);
  }

  remove(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }

  #unpack(tarball: string, name: string): void {
    const target = join(this.dir, 'node_modules', name);
    mkdirSync(target, { recursive: true });
    execFileSync('tar', ['-xzf', tarball, '-C', target, '--strip-components', '1']);
  }

  #link(name: string, from: string): void {
    const target = join(this.dir, 'node_modules', name);
    if (existsSync(target)) return;
    const source = [from, ROOT].map((it) => join(it, 'node_modules', name)).find(existsSync);
    if (source === undefined) throw new Error(`${name} is not installed`);
    mkdirSync(dirname(target), { recursive: true });
    symlinkSync(source, target, 'dir');
  }
}

/** npm reads its own name from the environment that `npm test` set; a nested run starts afresh. */
function npm(args: readonly string[]): void {
  const env = Object.fromEntries(Object.entries(process.env).filter(([key]) => !key.startsWith('npm_')));
  execFileSync('npm', args, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] });
}
