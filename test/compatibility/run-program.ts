import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Line } from './expected';
import { startReceiver, type Receiver } from './received';

/** Where a line of the SDK is installed, and the Node.js that it is for. */
export interface Installation {
  readonly line: Line;
  readonly node: string;
  /** A folder from which the line's packages and ours are found, with the programs in it. */
  readonly dir: string;
}

export interface Finished {
  readonly received: Receiver;
  readonly output: any;
}

/** Runs one of the programs as a process of its own, until it ends; its exports have arrived by then. */
export async function runProgram(
  { node, dir }: Installation,
  file: string,
  args: readonly string[] = [],
): Promise<Finished> {
  const received = await startReceiver();
  try {
    const { code, stdout, stderr } = await finish(node, [join(dir, file), received.url, ...args]);
    if (code !== 0 || stderr !== '') throw new Error(`${file} ended with ${code}\n${stderr}`);
    return { received, output: JSON.parse(stdout) };
  } finally {
    await received.close();
  }
}

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a process with nobody's settings for OpenTelemetry, whoever runs this test. */
export function finish(
  node: string,
  args: readonly string[],
  { cwd, env }: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<Ended> {
  const child = spawn(node, args, { cwd, env: { PATH: process.env.PATH, ...env }, timeout: 110_000 });
  const ended = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (chunk: string) => (ended[stream] += chunk));
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, ...ended }));
  });
}
