import type { RowKeeper } from '../figures/open-contexts';

/**
 * Where contexts were made: the stack of a share of them, by their row, for the warnings about those that nobody ends. A stack costs microseconds and kilobytes, hence the share, and none unless asked for.
 */
export interface Stacks extends RowKeeper {
  of(row: number): string | undefined;
}

/** @param share Of all contexts, from 0 to 1. */
export function createStacks(share: number): Stacks | undefined {
  if (share === 0) return undefined;
  const stacks = new Map<number, string>();
  let due = 0;
  return {
    taken(row) {
      due += share;
      if (due < 1) return;
      due -= 1;
      stacks.set(row, callerStack());
    },
    of: (row) => stacks.get(row),
    freed: (row) => void stacks.delete(row),
  };
}

/** An installed adapter's frame: the scope is ours, and what a user has in folders of these names is not. */
const ADAPTER = /[\\/]node_modules[\\/]@curfew[\\/]/;

/**
 * The stack of the code that called into Curfew, a line a frame, as far as the stack limit reaches. To be called by a
 * hook: the frames then begin with this file and, after the rest of this package, the file of the core that calls
 * hooks. The packages of these two are ours, wherever they are installed; in a bundle they are not to be seen, and nothing
 * is left out.
 */
export function callerStack(): string {
  const frames = String(new Error().stack)
    .split('\n')
    .slice(1)
    .map((line) => line.trim());
  const files = frames.map(fileOf);
  const here = packageOf(files[0], 'stacks');
  const caller = files.find((file) => !isIn(file, here));
  const core = packageOf(caller, 'hooks');
  return frames
    .filter((_, index) => {
      const file = files[index] as string;
      return !isIn(file, here) && !isIn(file, core) && !ADAPTER.test(file);
    })
    .join('\n');
}

/** The file of a line such as `at f (/app/main.js:3:14)` or `at async file:///app/main.mjs:3:14`. */
function fileOf(frame: string): string {
  const place = frame.replace(/(:\d+)*\)?$/, '');
  const open = place.indexOf(' (');
  return open < 0 ? place.replace(/^at (async )?/, '') : place.slice(open + 2);
}

/** The folder of the package that a file of this name is in, in whatever room; `undefined` for any other file. */
function packageOf(file: string | undefined, name: string): string | undefined {
  return new RegExp(`^(.*[\\\\/])(?:dist|src)[\\\\/](?:[^\\\\/]+[\\\\/])?${name}\\.[jt]s$`).exec(
    file ?? '',
  )?.[1];
}

/** Whether a file is one of a package: as built, or as a source map has it, which not every file may have. */
function isIn(file: string, folder: string | undefined): boolean {
  return (
    folder !== undefined &&
    file.startsWith(folder) &&
    /^(?:dist|src)[\\/](?:[^\\/]+[\\/])?[^\\/]+$/.test(file.slice(folder.length))
  );
}
