import type { ContextNode } from '@curfew/context/spi';
import type { SpanContext } from '@opentelemetry/api';
import { risingNow, type RisingClock } from '../figures/rising-clock';
import { add, type Store } from '../figures/store';
import type { Orphans } from './orphans';
import type { EndedContext, LeftBehind, MarkableSpan, Running } from './work';
import { createWorkLists, type Listed } from './work-lists';

/** All work that has not settled. This file and the lists alone make and write the records of it. */
export interface RunningWork {
  beginSpan(span: MarkableSpan, start: WorkStart): Running;
  /** Returns what the operation is to carry: as long as somebody holds that, the operation can be settled. */
  beginOperation(name: string | undefined, spanContext: SpanContext | undefined, start: WorkStart): object;
  settle(work: Running): void;
  /** Settles an operation by what it carries, which may be of an earlier telemetry's, or nothing. */
  settleOperation(carried: unknown): void;
  /** The context in a row ended for a reason: its work settles from here on, or becomes an orphan. */
  leave(work: Running, ended: EndedContext): void;
  /** The oldest operation under a context that has not ended; the others follow as `newer`. */
  firstOperation(row: number, node: ContextNode): Running | undefined;
  /** The oldest span under a context that has not ended; the others follow as `newer`. */
  firstSpan(row: number, node: ContextNode): Running | undefined;
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

interface Entry extends Listed {
  readonly isSpan: boolean;
  left: LeftBehind | undefined;
}

/** What an operation carries: once nobody holds the operation, nobody holds this, and nobody can settle it. */
interface Ticket {
  readonly issuer: RunningWork;
  readonly work: Entry;
}

export function createRunning({ store, orphans, rising, onError }: RunningParts): RunningWork {
  const counts = store.numbers.operations;
  const spans = createWorkLists(collected);
  const operations = createWorkLists(collected);
  let stopped = false;

  const listsOf = (work: Entry) => (work.isSpan ? spans : operations);

  function begin(
    { kind, node }: WorkStart,
    name: string | undefined,
    span: MarkableSpan | undefined,
    spanContext: SpanContext | undefined,
  ): Entry {
    add(counts, kind, 1);
    const work: Entry = {
      kind,
      name,
      spanContext,
      begunAt: node.due === undefined ? -Infinity : risingNow(rising),
      isSpan: span !== undefined,
      left: undefined,
      newer: undefined,
      older: undefined,
      list: undefined,
      held: span,
      weak: undefined,
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
    listsOf(work).remove(work);
    add(counts, work.kind, -1);
    if (work.left === undefined) return;
    if (how === 'settled') orphans.settle(work.left);
    else orphans.drop(work.left);
  }

  function collected(work: Listed): void {
    try {
      if (!stopped) end(work as Entry, 'collected');
    } catch (error) {
      onError(error);
    }
  }

  const self: RunningWork = {
    beginSpan(span, start) {
      const work = begin(start, undefined, span, span.spanContext());
      spans.add(work, start.node, start.row);
      return work;
    },
    beginOperation(name, spanContext, start) {
      const work = begin(start, name, undefined, spanContext);
      const ticket: Ticket = { issuer: self, work };
      work.held = ticket;
      operations.add(work, start.node, start.row);
      return ticket;
    },
    settle: (work) => end(work as Entry, 'settled'),
    settleOperation(carried) {
      const { issuer, work } = (carried ?? {}) as Partial<Ticket>;
      if (issuer === self && work !== undefined) end(work, 'settled');
    },
    leave,
    firstOperation: operations.oldest,
    firstSpan: spans.oldest,
    release(row, node) {
      operations.release(row, node);
      spans.release(row, node);
    },
    letGo: (work) => listsOf(work as Entry).letGo(work as Entry),
    spanOf(work) {
      const { isSpan, held, weak } = work as Entry;
      return isSpan ? ((held ?? weak?.deref()) as MarkableSpan | undefined) : undefined;
    },
    stop() {
      stopped = true;
    },
  };
  return self;
}
