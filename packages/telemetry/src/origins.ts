/**
 * Where contexts were made: the stack of a share of them, by their slot in the live list, for the warnings about
 * those that nobody ends. A stack costs microseconds and kilobytes, hence the share, and none unless asked for.
 */
export interface Origins {
  /** To be called for every context; takes the stack of one in so many. */
  capture(slot: number): void;
  of(slot: number): string | undefined;
  drop(slot: number): void;
}

/** Frames of Curfew's own packages, installed or in its repository: the user's line is what helps. */
const OWN_FRAME =
  /[\\/]@?curfew[\\/](?:[\w-]+[\\/])?(?:dist|src)[\\/]|[\\/]packages[\\/](?:context|telemetry)[\\/](?:dist|src)[\\/]/;

/** @param share Of all contexts, from 0 to 1. */
export function createOrigins(share: number): Origins | undefined {
  if (share === 0) return undefined;
  const stacks = new Map<number, string>();
  let due = 0;
  return {
    capture(slot) {
      due += share;
      if (due < 1) return;
      due -= 1;
      stacks.set(slot, callerStack());
    },
    of: (slot) => stacks.get(slot),
    drop: (slot) => void stacks.delete(slot),
  };
}

/** The stack of the code that called into Curfew, a line a frame, as far as the stack limit reaches. */
export function callerStack(): string {
  const lines = (new Error().stack ?? '').split('\n').slice(1);
  return lines
    .map((line) => line.trim())
    .filter((line) => !OWN_FRAME.test(line))
    .join('\n');
}
