/**
 * The contexts that have not ended, as records of numbers: never nodes, so that watching a context cannot keep it
 * alive. Twelve bytes each, in typed arrays that grow by doubling. In no order: whoever looks for old ones looks at
 * all of them, which is rare and takes a nanosecond each, so that adding and removing one can be as cheap as it gets.
 */
export interface Live {
  /** Adds a record; returns its slot. */
  add(startedAt: number, name: number, longLived: boolean): number;
  remove(slot: number): void;
  startedAt(slot: number): number;
  name(slot: number): number;
  /** Calls `visit` for every record. */
  each(visit: (slot: number) => void): void;
  /** Whether it may grow old without anybody being told: it was made to, or somebody has been told. */
  isPatient(slot: number): boolean;
  /** Somebody has been told of its age. */
  setPatient(slot: number): void;
  /** Whether it was made to live long. */
  isLongLived(slot: number): boolean;
  readonly size: number;
}

const FIRST_CAPACITY = 1024;

/** Of a record: its name's number above two bits. Of a free slot: the next free one, as a negative number. */
const LONG_LIVED = 1;
const TOLD = 2;
const NAME_SHIFT = 2;

export function createLive(): Live {
  let capacity = FIRST_CAPACITY;
  let started = new Float64Array(capacity);
  let tags = new Int32Array(capacity);
  let used = 0;
  /** -1 is none, as is the tag of the last free slot. Slot n is linked as -2 - n. */
  let free = -1;
  let size = 0;

  function grow(): void {
    capacity *= 2;
    const [formerStarted, formerTags] = [started, tags];
    started = new Float64Array(capacity);
    started.set(formerStarted);
    tags = new Int32Array(capacity);
    tags.set(formerTags);
  }

  return {
    add(startedAt, name, longLived) {
      let slot: number;
      if (free === -1) {
        if (used === capacity) grow();
        slot = used++;
      } else {
        slot = -2 - free;
        free = tags[slot] as number;
      }
      started[slot] = startedAt;
      tags[slot] = (name << NAME_SHIFT) | (longLived ? LONG_LIVED : 0);
      size++;
      return slot;
    },
    remove(slot) {
      tags[slot] = free;
      free = -2 - slot;
      size--;
    },
    startedAt: (slot) => started[slot] as number,
    name: (slot) => (tags[slot] as number) >> NAME_SHIFT,
    each(visit) {
      for (let slot = 0; slot < used; slot++) if ((tags[slot] as number) >= 0) visit(slot);
    },
    isPatient: (slot) => ((tags[slot] as number) & (LONG_LIVED | TOLD)) !== 0,
    setPatient(slot) {
      tags[slot] = (tags[slot] as number) | TOLD;
    },
    isLongLived: (slot) => ((tags[slot] as number) & LONG_LIVED) !== 0,
    get size() {
      return size;
    },
  };
}
