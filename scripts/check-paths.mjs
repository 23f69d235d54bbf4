// A path that exists on one machine only has no place in a file that others get.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { main, trackedFiles } from './workspace.mjs';

/** An absolute path below a folder that belongs to a person, a session or a build machine. */
const MACHINE_PATH = /(?<![\w.$})-])\/(?:work|tmp|root|home\/\w+|Users\/\w+|private\/var)\/[\w.@-]/;

export function checkPaths(root) {
  return trackedFiles(root).flatMap((file) => {
    const text = readFileSync(join(root, file), 'utf8');
    if (text.includes('\0')) return [];
    return text
      .split('\n')
      .flatMap((line, index) =>
        MACHINE_PATH.test(line) ? [`${file}:${index + 1}: ${line.trim().slice(0, 160)}`] : [],
      );
  });
}

main(import.meta.url, checkPaths);
