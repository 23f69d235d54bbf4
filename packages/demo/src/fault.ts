/**
 * Something that people can put right themselves: a taken port, a wrong flag. Its message is one line that says
 * what is wrong and what to do, and is shown without a stack trace.
 */
export class Fault extends Error {}

/** One line for whatever was thrown. Only a Fault is meant to be read alone; anything else is a defect of the demo. */
export function lineFor(error: unknown): string {
  return error instanceof Error ? (error.message.split('\n')[0] ?? error.name) : String(error);
}

/** The code of an error of the system: `EADDRINUSE`. */
export function codeOf(error: unknown): string | undefined {
  const code: unknown = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}
