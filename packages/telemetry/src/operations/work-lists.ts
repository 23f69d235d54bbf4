import type { ContextNode } from '@curfew/context/spi';
import type { Running } from './work';

/**
 * Work of one sort, spans or operations, that has not settled: in a list for each context that has not ended, by the
 * context's row, and one list of what outlived its own.
 *
 * What nobody ends must not stay in memory for our sake: of each list the newest thousand are held, and the ones before
 * them, and every orphan, belong to whoever else can end them. Those are found by a weak reference and noticed by a
 * FinalizationRegistry when they are gone. Without that tier a service that forgets to end its spans would leak them
 * through us, and one that drops them for good would show operations that run for ever; and holding none at all costs
 * half a microsecond for each piece of work, where a list costs a few nanoseconds.
 */
export interface WorkLists {
  add(work: Listed, node: ContextNode, row: number): void;
  /** The work has settled. */
  remove(work: Listed): void;
  /** The oldest under a context that has not ended; the others follow as `newer`. */
  oldest(row: number, node: ContextNode): Listed | undefined;
  /** The context in a row has ended. It may be gone itself, where it was lost. */
  release(row: number, node: ContextNode | undefined): void;
  /** From here on the work is there as long as somebody else can end it. */
  letGo(work: Listed): void;
}

/** Work as it stands in a list, which `work-lists.ts` alone writes. */
export interface Listed extends Running {
  newer: Listed | undefined;
  older: Listed | undefined;
  list: WorkList | undefined;
  /** The span, or what the operation carries, as long as it is held. */
  held: object | undefined;
  /** The same, once it is not. */
  weak: WeakRef<object> | undefined;
}

/** Work in the order of its start: what is not held, then what is. */
interface WorkList {
  /** Of the live context; -1 of one without a row, and of what outlived its context. */
  readonly row: number;
  oldest: Listed | undefined;
  newest: Listed | undefined;
  oldestHeld: Listed | undefined;
  heldCount: number;
}

/** As many as one cancellation marks. */
const MAX_HELD = 1000;

const newList = (row: number): WorkList => ({
  row,
  oldest: undefined,
  newest: undefined,
  oldestHeld: undefined,
  heldCount: 0,
});

/** @param onCollected Told of work that was garbage-collected unsettled: nobody can end it any more. */
export function createWorkLists(onCollected: (work: Listed) => void): WorkLists {
  const lists: (WorkList | undefined)[] = [];
  /** Of contexts that were derived before telemetry was installed. */
  const earlyLists = new WeakMap<ContextNode, WorkList>();
  const outlived = newList(-1);
  const collected = new FinalizationRegistry(onCollected);

  function append(list: WorkList, work: Listed): void {
    work.list = list;
    work.older = list.newest;
    if (list.newest === undefined) list.oldest = work;
    else list.newest.newer = work;
    list.newest = work;
    list.oldestHeld ??= work;
    if (++list.heldCount > MAX_HELD) letGo(list.oldestHeld);
  }

  function unlink(list: WorkList, work: Listed): void {
    const { older, newer } = work;
    if (older === undefined) list.oldest = newer;
    else older.newer = newer;
    if (newer === undefined) list.newest = older;
    else newer.older = older;
    if (list.oldestHeld === work) list.oldestHeld = newer;
    if (work.held !== undefined) list.heldCount--;
    work.list = undefined;
    work.older = undefined;
    work.newer = undefined;
    // Most contexts have no list, and an ended one is asked for it.
    if (list.oldest === undefined && list.row >= 0) lists[list.row] = undefined;
  }

  function letGo(work: Listed): void {
    const { held, list } = work;
    if (held === undefined) return;
    // What outlived its context is in the list to be held, and for nothing else.
    if (list === outlived) unlink(list, work);
    else if (list !== undefined) {
      list.heldCount--;
      if (list.oldestHeld === work) list.oldestHeld = work.newer;
    }
    work.held = undefined;
    work.weak = new WeakRef(held);
    collected.register(held, work, work);
  }

  function listOf(row: number, node: ContextNode | undefined): WorkList | undefined {
    if (row >= 0) return lists[row];
    return node === undefined ? undefined : earlyLists.get(node);
  }

  function openList(row: number, node: ContextNode): WorkList {
    if (node.ending !== undefined) return outlived;
    let list = listOf(row, node);
    if (list !== undefined) return list;
    list = newList(row);
    if (row >= 0) lists[row] = list;
    else earlyLists.set(node, list);
    return list;
  }

  return {
    add: (work, node, row) => append(openList(row, node), work),
    remove(work) {
      if (work.list !== undefined) unlink(work.list, work);
      if (work.held === undefined) collected.unregister(work);
      work.held = undefined;
    },
    oldest: (row, node) => listOf(row, node)?.oldest,
    release(row, node) {
      // Most contexts have none, and every one of them passes here.
      if (row >= 0 && lists[row] === undefined) return;
      const list = listOf(row, node);
      if (list === undefined) return;
      if (row >= 0) lists[row] = undefined;
      else if (node !== undefined) earlyLists.delete(node);
      let work = list.oldest;
      while (work !== undefined) {
        const { newer } = work;
        work.list = undefined;
        work.older = undefined;
        work.newer = undefined;
        if (work.held !== undefined) append(outlived, work);
        work = newer;
      }
    },
    letGo,
  };
}
