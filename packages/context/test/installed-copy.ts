import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const PACKAGE = join(__dirname, '..');

export interface InstalledCopy {
  readonly api: typeof import('@curfew/context');
  readonly spi: typeof import('@curfew/context/spi');
  /** Where a process of its own finds it. */
  readonly path: string;
  remove(): void;
}

/** Fields that a build of another protocol calls otherwise: what reads them by chance would not work. */
const RENAMED = /(?<![/\w])(ending|due|own|firstChild|firstCallback|operations|controller)\b/g;

/**
 * The package as another dependency would bring it: its files unpacked into a node_modules of their own, with the
 * same OpenTelemetry API. `anotherProtocol` makes it a build whose nodes have another layout and number.
 */
export function installCopy({ anotherProtocol = false } = {}): InstalledCopy {
  const root = mkdtempSync(join(tmpdir(), 'curfew-copy-'));
  const target = join(root, 'node_modules', '@curfew', 'context');
  const api = join(root, 'node_modules', '@opentelemetry', 'api');
  const dist = join(target, 'dist');
  cpSync(join(PACKAGE, 'dist'), dist, {
    recursive: true,
    filter: (path) => !/\.(map|tsbuildinfo)$/.test(path),
  });
  cpSync(join(PACKAGE, 'package.json'), join(target, 'package.json'));
  mkdirSync(dirname(api), { recursive: true });
  symlinkSync(dirname(dirname(dirname(require.resolve('@opentelemetry/api')))), api, 'dir');
  if (anotherProtocol) {
    for (const file of readdirSync(dist, { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.endsWith('.js'),
    )) {
      const source = readFileSync(join(dist, file), 'utf8')
        .replace('exports.PROTOCOL = 1;', 'exports.PROTOCOL = 2;')
        .replace(RENAMED, '$1Two');
      writeFileSync(join(dist, file), source);
    }
  }
  return {
    api: require(join(dist, 'index.js')) as InstalledCopy['api'],
    spi: require(join(dist, 'spi.js')) as InstalledCopy['spi'],
    path: join(dist, 'index.js'),
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}
