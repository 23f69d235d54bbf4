/**
 * The contexts that have not ended, oldest first, as records of numbers: never nodes, so that watching a context
 * cannot keep it alive. Twenty-one bytes each, in typed arrays that grow by doubling.
 */
export interface Live {
  /** Adds a record at the young end; returns its slot. */
  add(startedAt: number, name: number, longLived: boolean): number;
  remove(slot: number): void;
  startedAt(slot: number): number;
  name(slot: number): number;
  /** Calls `visit` for every record not meant to live long, oldest first, until it returns false. */
  eachFromOldest(visit: (startedAt: number, name: number) => boolean): void;
  readonly size: number;
}

const NONE = -1;
const FIRST_CAPACITY = 1024;

export function createLive(): Live {
  let capacity = FIRST_CAPACITY;
  let started = new Float64Array(capacity);
  let names = new Int32Array(capacity);
  let prev = new Int32Array(capacity);
  let next = new Int32Array(capacity);
  let patient = new Uint8Array(capacity);
  let used = 0;
  let free = NONE;
  let oldest = NONE;
  let youngest = NONE;
  let size = 0;

  function grow(): void {
    capacity *= 2;
    const copy = <A extends Float64Array | Int32Array | Uint8Array>(larger: A, former: A): A => {
      larger.set(former);
      return larger;
    };
    started = copy(new Float64Array(capacity), started);
    names = copy(new Int32Array(capacity), names);
    prev = copy(new Int32Array(capacity), prev);
    next = copy(new Int32Array(capacity), next);
    patient = copy(new Uint8Array(capacity), patient);
  }

  return {
    add(startedAt, name, longLived) {
      let slot = free;
      if (slot === NONE) {
        if (used === capacity) grow();
        slot = used++;
      } else free = next[slot] as number;
      started[slot] = startedAt;
      names[slot] = name;
      patient[slot] = longLived ? 1 : 0;
      prev[slot] = youngest;
      next[slot] = NONE;
      if (youngest === NONE) oldest = slot;
      else next[youngest] = slot;
      youngest = slot;
      size++;
      return slot;
    },
    remove(slot) {
      const before = prev[slot] as number;
      const after = next[slot] as number;
      if (before === NONE) oldest = after;
      else next[before] = after;
      if (after === NONE) youngest = before;
      else prev[after] = before;
      next[slot] = free;
      free = slot;
      size--;
    },
    startedAt: (slot) => started[slot] as number,
    name: (slot) => names[slot] as number,
    eachFromOldest(visit) {
      for (let slot = oldest; slot !== NONE; slot = next[slot] as number) {
        if (patient[slot] === 1) continue;
        if (!visit(started[slot] as number, names[slot] as number)) return;
      }
    },
    get size() {
      return size;
    },
  };
}
