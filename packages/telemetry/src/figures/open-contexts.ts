/**
 * The contexts that have not ended, as records of numbers: never nodes, so that watching a context cannot keep it
 * alive. Twelve bytes each, in typed arrays that grow by doubling. In no order: whoever looks for old ones looks at
 * all of them, which is rare and takes a nanosecond each, so that adding and removing one can be as cheap as it gets.
 * That is also why this is a record with functions beside it: variables of a closure cost ten nanoseconds a life more.
 */
export interface Live {
  /** Monotonic ms, by slot. */
  startedAt: Float64Array;
  /** Of a record, its name's number above two bits; of a free slot, the next free one as a negative number. */
  tags: Int32Array;
  /** Slots ever used. */
  used: number;
  /** The first free slot n, as -2 - n; -1 if there is none, which is also what the last free slot is tagged with. */
  free: number;
  /** What a context carries of its slot is this much more. */
  readonly first: number;
}

const FIRST_CAPACITY = 1024;

const LONG_LIVED = 1;
const TOLD = 2;
const NAME_SHIFT = 2;

/** @param first The number of the first slot, as contexts carry it. */
export function createLive(first: number): Live {
  return {
    startedAt: new Float64Array(FIRST_CAPACITY),
    tags: new Int32Array(FIRST_CAPACITY),
    used: 0,
    free: -1,
    first,
  };
}

/** The slot of a context; -1 where it has none, since it began before this telemetry did. */
export function slotOf(live: Live, node: { readonly slot: number }): number {
  return node.slot < live.first ? -1 : node.slot - live.first;
}

/** Adds a record; returns its slot. */
export function addLive(live: Live, startedAt: number, name: number, longLived: boolean): number {
  let slot: number;
  if (live.free === -1) {
    if (live.used === live.tags.length) grow(live);
    slot = live.used++;
  } else {
    slot = -2 - live.free;
    live.free = live.tags[slot] as number;
  }
  live.startedAt[slot] = startedAt;
  live.tags[slot] = (name << NAME_SHIFT) | (longLived ? LONG_LIVED : 0);
  return slot;
}

export function removeLive(live: Live, slot: number): void {
  live.tags[slot] = live.free;
  live.free = -2 - slot;
}

function grow(live: Live): void {
  const { startedAt, tags } = live;
  live.startedAt = new Float64Array(2 * startedAt.length);
  live.startedAt.set(startedAt);
  live.tags = new Int32Array(2 * tags.length);
  live.tags.set(tags);
}

/** The slots of all records. */
export function eachLive(live: Live, visit: (slot: number) => void): void {
  for (let slot = 0; slot < live.used; slot++) if ((live.tags[slot] as number) >= 0) visit(slot);
}

/** The number of a context's name. */
export function nameOfLive(live: Live, slot: number): number {
  return (live.tags[slot] as number) >> NAME_SHIFT;
}

/** Whether it was made to live long. */
export function isLongLived(live: Live, slot: number): boolean {
  return ((live.tags[slot] as number) & LONG_LIVED) !== 0;
}

/** Whether somebody has been told that it lingers. */
export function isTold(live: Live, slot: number): boolean {
  return ((live.tags[slot] as number) & TOLD) !== 0;
}

export function setTold(live: Live, slot: number): void {
  live.tags[slot] = (live.tags[slot] as number) | TOLD;
}
