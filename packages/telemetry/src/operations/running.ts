import type { ContextNode } from '@curfew/context/spi';
import type { SpanContext } from '@opentelemetry/api';
import { risingNow, type RisingClock } from '../figures/rising-clock';
import { add, type Store } from '../figures/store';
import type { Orphans } from './orphans';
import type { EndedContext, LeftBehind, MarkableSpan, Running } from './work';

/**
 * All work that has not settled, in a list for each live context, by the context's row; and one list of what outlived
 * its own. This file alone makes and writes the records of it.
 *
 * What nobody ends must not stay in memory for our sake: of each list the newest thousand are held, and the ones before
 * them, and every orphan, belong to whoever else can end them. Those are found by a weak reference and noticed by a
 * FinalizationRegistry when they are gone. Without that tier a service that forgets to end its spans would leak them
 * through us, and one that drops them for good would show operations that run for ever; and holding none at all costs
 * half a microsecond for each piece of work, where a list costs a few nanoseconds.
 */
export interface RunningWork {
  beginSpan(span: MarkableSpan, start: WorkStart): Running;
  /** Returns what the operation is to carry: as long as somebody holds that, the operation can be settled. */
  beginOperation(name: string | undefined, spanContext: SpanContext | undefined, start: WorkStart): object;
  settle(work: Running): void;
  /** Settles an operation by what it carries, which may be of an earlier telemetry's, or nothing. */
  settleOperation(carried: unknown): void;
  /** The context in a row ended for a reason: its work settles from here on, or becomes an orphan. */
  leave(work: Running, ended: EndedContext): void;
  /** Visits the work of a context that has not ended, oldest first. */
  each(row: number, node: ContextNode, visit: (work: Running, span: MarkableSpan | undefined) => void): void;
  /** The oldest span under a context that has not ended. */
  firstSpan(row: number, node: ContextNode): SpanContext | undefined;
  /** The context in a row has ended. It may be gone itself, where it was lost. */
  release(row: number, node: ContextNode | undefined): void;
  /** From here on the work is there as long as somebody else can end it. */
  letGo(work: Running): void;
  /** The span itself, where the work is one and somebody can still end it. */
  spanOf(work: Running): MarkableSpan | undefined;
  stop(): void;
}

/** Where work begins. */
export interface WorkStart {
  /** The number of its kind. */
  readonly kind: number;
  readonly node: ContextNode;
  /** Of the context; -1 where it has none, since it was derived before telemetry was installed, or has ended. */
  readonly row: number;
}

export interface RunningParts {
  readonly store: Store;
  readonly orphans: Orphans;
  readonly rising: RisingClock;
  onError(error: unknown): void;
}

/** As many as one cancellation marks. */
const MAX_HELD = 1000;

interface Entry extends Running {
  left: LeftBehind | undefined;
  readonly isSpan: boolean;
  /** The span, or what the operation carries, as long as it is held. */
  held: object | undefined;
  /** The span, once it is not. */
  weakSpan: WeakRef<MarkableSpan> | undefined;
  list: WorkList | undefined;
  /** Neighbours in the list. */
  older: Entry | undefined;
  newer: Entry | undefined;
}

/** Work in the order of its start: what is not held, then what is. */
interface WorkList {
  /** Of the live context; -1 of one without a row, and of what outlived its context. */
  readonly row: number;
  oldest: Entry | undefined;
  newest: Entry | undefined;
  oldestHeld: Entry | undefined;
  heldCount: number;
}

/** What an operation carries: once nobody holds the operation, nobody holds this, and nobody can settle it. */
interface Ticket {
  readonly issuer: RunningWork;
  readonly work: Entry;
}

const newList = (row: number): WorkList => ({
  row,
  oldest: undefined,
  newest: undefined,
  oldestHeld: undefined,
  heldCount: 0,
});

export function createRunning({ store, orphans, rising, onError }: RunningParts): RunningWork {
  const { operations } = store.numbers;
  const lists: (WorkList | undefined)[] = [];
  /** Of contexts that were derived before telemetry was installed. */
  const earlyLists = new WeakMap<ContextNode, WorkList>();
  const outlived = newList(-1);
  let stopped = false;
  const collected = new FinalizationRegistry<Entry>((work) => {
    try {
      if (!stopped) end(work, 'collected');
    } catch (error) {
      onError(error);
    }
  });

  function begin(
    { kind, node }: WorkStart,
    name: string | undefined,
    span: MarkableSpan | undefined,
    spanContext: SpanContext | undefined,
  ): Entry {
    add(operations, kind, 1);
    const work: Entry = {
      kind,
      name,
      spanContext,
      begunAt: node.due === undefined ? -Infinity : risingNow(rising),
      left: undefined,
      isSpan: span !== undefined,
      held: span,
      weakSpan: undefined,
      list: undefined,
      older: undefined,
      newer: undefined,
    };
    const { ending } = node;
    if (ending === undefined) return work;
    // Work that starts under a context which has ended is in flight from its own start.
    leave(work, { node, name: store.names.find(node.name), ending });
    return work;
  }

  function leave(work: Running, ended: EndedContext): void {
    if (work.left !== undefined || ended.ending.reason === undefined) return;
    (work as Entry).left = orphans.leave(work, ended);
  }

  function end(work: Entry, how: 'settled' | 'collected'): void {
    const { list, held, left } = work;
    if (list !== undefined) unlink(list, work);
    if (held === undefined) collected.unregister(work);
    work.held = undefined;
    add(operations, work.kind, -1);
    if (left === undefined) return;
    if (how === 'settled') orphans.settle(left);
    else orphans.drop(left);
  }

  function append(list: WorkList, work: Entry): void {
    work.list = list;
    work.older = list.newest;
    if (list.newest === undefined) list.oldest = work;
    else list.newest.newer = work;
    list.newest = work;
    list.oldestHeld ??= work;
    if (++list.heldCount > MAX_HELD) letGo(list.oldestHeld);
  }

  function unlink(list: WorkList, work: Entry): void {
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

  function letGo(work: Entry): void {
    const { held, list } = work;
    if (held === undefined) return;
    // What outlived its context is in the list to be held, and for nothing else.
    if (list === outlived) unlink(list, work);
    else if (list !== undefined) {
      list.heldCount--;
      if (list.oldestHeld === work) list.oldestHeld = work.newer;
    }
    work.held = undefined;
    if (work.isSpan) work.weakSpan = new WeakRef(held as MarkableSpan);
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

  const spanOf = (work: Entry) =>
    work.isSpan ? ((work.held as MarkableSpan | undefined) ?? work.weakSpan?.deref()) : undefined;

  const self: RunningWork = {
    beginSpan(span, start) {
      const work = begin(start, undefined, span, span.spanContext());
      append(openList(start.row, start.node), work);
      return work;
    },
    beginOperation(name, spanContext, start) {
      const work = begin(start, name, undefined, spanContext);
      const ticket: Ticket = { issuer: self, work };
      work.held = ticket;
      append(openList(start.row, start.node), work);
      return ticket;
    },
    settle: (work) => end(work as Entry, 'settled'),
    settleOperation(carried) {
      const { issuer, work } = (carried ?? {}) as Partial<Ticket>;
      if (issuer === self && work !== undefined) end(work, 'settled');
    },
    leave,
    each(row, node, visit) {
      let work = listOf(row, node)?.oldest;
      while (work !== undefined) {
        const { newer } = work;
        visit(work, spanOf(work));
        work = newer;
      }
    },
    firstSpan(row, node) {
      let work = listOf(row, node)?.oldest;
      while (work !== undefined && !work.isSpan) work = work.newer;
      return work?.spanContext;
    },
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
    letGo: (work) => letGo(work as Entry),
    spanOf: (work) => spanOf(work as Entry),
    stop() {
      stopped = true;
    },
  };
  return self;
}
