/**
 * The numbers that contexts carry for telemetry. A context may outlive an uninstall, so those of the next telemetry
 * begin after those of the one before: a number of another's is told by being smaller.
 */
export interface Slots {
  contexts: number;
}

const NEXT = Symbol.for('@curfew/telemetry.slots.v1');

/** The first numbers that no telemetry of this process has given out. */
export function nextSlots(): Slots {
  const slots = globalThis as { [NEXT]?: Slots };
  return (slots[NEXT] ??= { contexts: 0 });
}
