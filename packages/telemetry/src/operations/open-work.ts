import type { ContextNode } from '@curfew/context/spi';
import type { Running } from './work';

/**
 * The open work of each live context, spans or operations, oldest first, by the context's slot in the live list; and
 * the work that outlived its own. What nobody ends must not stay in memory for our sake: the newest thousand of each
 * live context are held, and the newest thousand of those left behind; the ones before them, and every orphan, belong to
 * whoever else can end them.
 */
export interface OpenWork {
  /** A slot of -1 is that of a context which has ended, or which was derived before telemetry was installed. */
  add(running: Running, node: ContextNode, slot: number): void;
  remove(running: Running): void;
  oldest(slot: number, node: ContextNode | undefined): Running | undefined;
  /** The context ended: its work is left behind. It may be gone itself, where it was lost. */
  release(slot: number, node: ContextNode | undefined): void;
  /** From here on the work is there as long as somebody else can end it. */
  letGo(running: Running): void;
}

/** As many as one cancellation marks. */
const MAX_HELD = 1000;

/** Values of `Running.context` that are no row of a live context. */
const LEFT_BEHIND = -1;
const NOWHERE = -2;
/** Contexts derived before telemetry was installed have no slot: their rows are numbered downwards from here. */
const FIRST_EARLY = -3;

/** Work in the order of its start: what is not held, then what is. */
interface Row {
  oldest: Running | undefined;
  newest: Running | undefined;
  oldestHeld: Running | undefined;
  held: number;
}

const emptyRow = (): Row => ({ oldest: undefined, newest: undefined, oldestHeld: undefined, held: 0 });

/** @param onDropped Told of work whose span or operation was garbage-collected: nobody can end it any more. */
export function createOpenWork(onDropped: (running: Running) => void): OpenWork {
  const rows: (Row | undefined)[] = [];
  const earlyRows = new Map<number, Row>();
  const early = new WeakMap<ContextNode, number>();
  let nextEarly = FIRST_EARLY;
  const leftBehind = emptyRow();
  const collected = new FinalizationRegistry<Running>((running) => {
    remove(running);
    onDropped(running);
  });

  function append(row: Row, running: Running): void {
    running.older = row.newest;
    if (row.newest === undefined) row.oldest = running;
    else row.newest.newer = running;
    row.newest = running;
    row.oldestHeld ??= running;
    if (++row.held > MAX_HELD) letGoIn(row, row.oldestHeld);
  }

  function unlink(row: Row, running: Running): void {
    const { older, newer } = running;
    if (older === undefined) row.oldest = newer;
    else older.newer = newer;
    if (newer === undefined) row.newest = older;
    else newer.older = older;
    if (row.oldestHeld === running) row.oldestHeld = newer;
    running.older = undefined;
    running.newer = undefined;
  }

  function letGoIn(row: Row, running: Running): void {
    const { span, ticket } = running;
    row.held--;
    if (row.oldestHeld === running) row.oldestHeld = running.newer;
    running.holder = undefined;
    running.ticket = undefined;
    if (span !== undefined) {
      const weak = new WeakRef(span);
      Object.defineProperty(running, 'span', { get: () => weak.deref() });
    }
    const handle = span ?? ticket;
    if (handle !== undefined) collected.register(handle, running, running);
    if (row !== leftBehind) return;
    unlink(row, running);
    running.context = NOWHERE;
  }

  const rowOf = (place: number) =>
    place >= 0 ? rows[place] : place === LEFT_BEHIND ? leftBehind : earlyRows.get(place);

  function dropRow(place: number): void {
    if (place >= 0) rows[place] = undefined;
    else earlyRows.delete(place);
  }

  const placeOf = (slot: number, node: ContextNode | undefined) =>
    slot >= 0 ? slot : ((node && early.get(node)) ?? LEFT_BEHIND);

  /** The row of a context which has not ended. */
  function openRow(node: ContextNode, slot: number): number {
    if (slot >= 0) {
      rows[slot] ??= emptyRow();
      return slot;
    }
    const place = early.get(node) ?? nextEarly--;
    early.set(node, place);
    if (!earlyRows.has(place)) earlyRows.set(place, emptyRow());
    return place;
  }

  function remove(running: Running): void {
    const { context: place, holder } = running;
    running.holder = undefined;
    if (holder === undefined) collected.unregister(running);
    if (place === NOWHERE) return;
    const row = rowOf(place) as Row;
    unlink(row, running);
    if (holder !== undefined) row.held--;
    if (row.oldest === undefined && row !== leftBehind) dropRow(place);
    running.context = NOWHERE;
  }

  const self: OpenWork = {
    add(running, node, slot) {
      running.holder = self;
      running.context = node.ending === undefined ? openRow(node, slot) : LEFT_BEHIND;
      append(rowOf(running.context) as Row, running);
    },
    remove,
    oldest(slot, node) {
      const place = placeOf(slot, node);
      return place === LEFT_BEHIND ? undefined : rowOf(place)?.oldest;
    },
    release(slot, node) {
      // Most contexts have none, and every one of them passes here.
      if (slot >= 0 && rows[slot] === undefined) return;
      const place = placeOf(slot, node);
      if (place === LEFT_BEHIND) return;
      let running = rowOf(place)?.oldest;
      dropRow(place);
      while (running !== undefined) {
        const next = running.newer;
        running.newer = undefined;
        running.older = undefined;
        if (running.holder === undefined) running.context = NOWHERE;
        else {
          running.context = LEFT_BEHIND;
          append(leftBehind, running);
        }
        running = next;
      }
    },
    letGo(running) {
      if (running.holder === undefined) return;
      letGoIn(rowOf(running.context) as Row, running);
    },
  };
  return self;
}
