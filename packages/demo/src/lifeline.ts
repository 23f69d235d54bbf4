import { codeOf, Fault, lineFor } from './fault';

/** What a program of the demo tells whoever started it. */
export type Word = { readonly listening: string } | { readonly fault: string };

/** A program that has begun: where it is reached, and how it ends. */
export interface Begun {
  readonly address: string;
  readonly end: () => Promise<void>;
}

/** How long an ending may take before the process goes regardless. */
const LIMIT_MS = 4_000;

/**
 * Runs a program: says where it listens, ends it when told to (SIGTERM, SIGINT) or when whoever started it is gone,
 * even by SIGKILL: the channel between the two closes then, whatever happened.
 */
export async function live(begin: () => Promise<Begun>): Promise<void> {
  // Once the starter is gone there is nobody to write to, and that must not stop the ending half-way.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  let begun: Begun | undefined;
  let told = false;
  const end = () => {
    told = true;
    if (begun === undefined) return;
    const { end: finish } = begun;
    begun = undefined;
    setTimeout(() => process.exit(1), LIMIT_MS).unref();
    finish().then(leave, (error: unknown) => {
      console.error(lineFor(error));
      process.exitCode = 1;
      leave();
    });
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, end);
  if (process.send !== undefined) {
    process.once('disconnect', end);
    if (!process.connected) told = true;
  }
  try {
    begun = await begin();
  } catch (error) {
    tell({ fault: explain(error) });
    process.exitCode = 1;
    leave();
    return;
  }
  tell({ listening: begun.address });
  // Told to end while it was still beginning.
  if (told) end();
}

/** Lets the process end by itself, so that telemetry flushes what it holds. */
function leave(): void {
  if (process.connected) process.disconnect();
}

function tell(word: Word): void {
  if (process.connected) process.send?.(word);
  else if ('fault' in word) console.error(word.fault);
  else console.log(JSON.stringify(word));
}

function explain(error: unknown): string {
  if (error instanceof Fault) return lineFor(error);
  const code = codeOf(error);
  const port = String((error as { port?: unknown } | null)?.port ?? '?');
  if (code === 'EADDRINUSE') return `port ${port} is taken: stop what listens there or set PORT to another`;
  if (code === 'EACCES') return `port ${port} needs more rights: set PORT to one above 1023`;
  return lineFor(error);
}

/** A whole number from the environment; throws a Fault that names the variable. */
export function numberFrom(name: string, fallback: number): number {
  const text = process.env[name] ?? '';
  if (text === '') return fallback;
  if (!/^\d{1,5}$/.test(text))
    throw new Fault(`${name} cannot be '${text}': it takes a number such as ${fallback}`);
  return Number(text);
}
