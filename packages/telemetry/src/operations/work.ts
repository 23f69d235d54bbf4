import type { ContextNode, Ending } from '@curfew/context/spi';
import { clock, MAX_DELAY, SUPPRESS_TRACING_KEY } from '@curfew/context/spi';
import { trace, type SpanContext } from '@opentelemetry/api';
import { REASON } from '../registry/value-numbers';
import type { Exemplars } from '../figures/exemplars';
import type { MarkableSpan } from '../spans/marking';
import type { OpenWork } from './open-work';
import { passed, steadyNow, type Steady } from '../figures/rising-clock';
import { add, type Store } from '../figures/store';

/** An operation or a span under a context, from its start until it settles. */
export interface Running {
  readonly kind: number;
  readonly name: string | undefined;
  /** The span itself, where the work is one. */
  readonly span: MarkableSpan | undefined;
  /** What the orphan's span is a child of: the work's own span, or the one active when it began. */
  readonly spanContext: SpanContext | undefined;
  /** Monotonic ms at which its context ended for a reason; NaN while it has not. */
  endedAt: number;
  reason: number;
  orphan: boolean;
  reported: boolean;
  /** Where its context was made, where that is known and the context has ended. */
  madeAt: string | undefined;
  /** Monotonic ms; -Infinity where its context had no deadline that could have passed by then. */
  readonly begunAt: number;
  /** Of the context that ended: its name, the span that it was derived under, whether it is not to be traced. */
  contextName: number;
  derivedUnder: SpanContext | undefined;
  untraced: boolean;
  /** Neighbours among the work whose context has ended, by `endedAt`. */
  prev: Running | undefined;
  next: Running | undefined;
  /** Neighbours among the open work of one context. */
  older: Running | undefined;
  newer: Running | undefined;
  /** Where that list is: the slot of the context in the live list, or a number below 0. */
  context: number;
  /** Who holds what is needed to end it; `undefined` once nobody of ours does. */
  holder: OpenWork | undefined;
  /** Of an operation, what it carries; held like a span. */
  ticket: object | undefined;
}

/** What is known of a piece of work when it begins. */
export interface WorkOrigin extends Pick<Running, 'name' | 'span' | 'spanContext'> {
  readonly node: ContextNode;
}

export interface WorkOptions {
  readonly store: Store;
  readonly exemplars: Exemplars;
  readonly steady: Steady;
  /** Milliseconds. */
  readonly orphanGrace: number;
  /** Milliseconds. */
  readonly orphanReportAfter: number;
  /** An orphan settled at `now`; or was found then to have been garbage-collected unsettled. */
  onOrphanSettled(work: Running, now: number, collected: boolean): void;
  /** An orphan has been running for `orphanReportAfter`. */
  onOrphanReport(work: Running, now: number): void;
}

/** The end that work in flight is left behind by. */
export interface EndedContext {
  readonly node: ContextNode;
  /** The number of its name. */
  readonly name: number;
  readonly ending: Ending;
  /** Monotonic ms of the end; absent for work that began after it, which counts from now. */
  readonly at?: number;
  /** Where the context was made, where that is known. */
  readonly madeAt?: string | undefined;
}

/** Operations: in flight, settling, orphaned. */
export interface Work {
  begin(kind: number, origin: WorkOrigin): Running;
  settle(work: Running): void;
  /** It was garbage-collected unsettled: it runs no more, and nobody knows since when. */
  drop(work: Running): void;
  /** Its context ended for a reason, at `at`: from here on it settles, or becomes an orphan. */
  contextEnded(work: Running, ended: EndedContext): void;
  /** Brings orphans up to date with the clock, before figures are read. */
  catchUp(now: number): void;
  /** Seconds that the orphans of a cell have wasted so far, those that still run included. */
  orphanTime(cell: number, now: number): number;
  stop(): void;
}

export function createWork(options: WorkOptions): Work {
  const { store, exemplars, steady } = options;
  const { operations, orphans, orphansActive, orphanTime } = store.numbers;
  const { settle: settleDuration } = store.histograms;
  /** For each cell of running orphans, the sum of the instants at which their contexts ended, in ms. */
  const endSums = new Float64Array(orphansActive.values.length);
  let first: Running | undefined;
  let last: Running | undefined;
  /** In the list, everything before this one is an orphan. */
  let waiting: Running | undefined;
  /** In the list, everything before this one has been reported. */
  let unreported: Running | undefined;
  /** The seconds of each cell, as they were told last. */
  const told = new Float64Array(orphansActive.values.length);
  let timer: unknown;
  let timerAt = Infinity;
  let stopped = false;

  const cellOf = (work: Running) => orphans.cell(work.kind, work.reason);

  function insert(work: Running): void {
    let after = last;
    while (after !== undefined && after.endedAt > work.endedAt) after = after.prev;
    work.prev = after;
    work.next = after === undefined ? first : after.next;
    if (work.prev === undefined) first = work;
    else work.prev.next = work;
    if (work.next === undefined) last = work;
    else work.next.prev = work;
    // A deadline that a blocked loop noticed late lies before others that have long been dealt with.
    if (waiting === undefined || work.endedAt < waiting.endedAt) waiting = work;
    if (unreported === undefined || work.endedAt < unreported.endedAt) unreported = work;
  }

  function remove(work: Running): void {
    if (waiting === work) waiting = work.next;
    if (unreported === work) unreported = work.next;
    if (work.prev === undefined) first = work.next;
    else work.prev.next = work.next;
    if (work.next === undefined) last = work.prev;
    else work.next.prev = work.prev;
    work.prev = undefined;
    work.next = undefined;
  }

  function becomeOrphan(work: Running, now: number): void {
    work.orphan = true;
    // It may never settle. From here on it lives as long as whoever could settle it.
    work.holder?.letGo(work);
    const cell = cellOf(work);
    add(orphans, cell, 1);
    add(orphansActive, cell, 1);
    orphansActive.shown[cell] = 1;
    endSums[cell] = (endSums[cell] as number) + work.endedAt;
    if (exemplars.wants(orphans, cell, now))
      exemplars.take(orphans, cell, { value: 1, now, span: work.spanContext });
  }

  /** Its context had ended, and now it runs no more. */
  function leave(work: Running, now: number, collected: boolean): void {
    const cell = cellOf(work);
    const took = now - work.endedAt;
    // A blocked loop may have kept the timer from telling.
    if (!work.orphan && took >= options.orphanGrace) becomeOrphan(work, now);
    remove(work);
    if (work.orphan) {
      add(orphansActive, cell, -1);
      endSums[cell] = (endSums[cell] as number) - work.endedAt;
      add(orphanTime, cell, took / 1000);
    }
    if (first === undefined) disarm();
    if (work.orphan) options.onOrphanSettled(work, now, collected);
  }

  function catchUp(now: number): void {
    while (waiting !== undefined && now - waiting.endedAt >= options.orphanGrace) {
      const work = waiting;
      waiting = work.next;
      if (!work.orphan) becomeOrphan(work, now);
    }
    while (unreported !== undefined && now - unreported.endedAt >= options.orphanReportAfter) {
      const work = unreported;
      unreported = work.next;
      if (work.reported) continue;
      work.reported = true;
      options.onOrphanReport(work, now);
    }
  }

  /** The next instant at which something has to be noticed. */
  function nextInstant(): number {
    const orphan = waiting === undefined ? Infinity : waiting.endedAt + options.orphanGrace;
    const report = unreported === undefined ? Infinity : unreported.endedAt + options.orphanReportAfter;
    return Math.min(orphan, report);
  }

  function arm(): void {
    const at = nextInstant();
    if (at === timerAt || stopped) return;
    disarm();
    if (at === Infinity) return;
    timerAt = at;
    const delay = Math.min(MAX_DELAY, Math.max(1, Math.ceil(at - steadyNow(steady))));
    timer = clock().setTimer(fire, delay, false);
  }

  function disarm(): void {
    if (timer !== undefined) clock().clearTimer(timer);
    timer = undefined;
    timerAt = Infinity;
  }

  function fire(): void {
    timer = undefined;
    timerAt = Infinity;
    catchUp(steadyNow(steady));
    arm();
  }

  return {
    begin(kind, { node, name, span, spanContext }) {
      add(operations, kind, 1);
      return {
        kind,
        name,
        span,
        spanContext,
        endedAt: NaN,
        reason: 0,
        orphan: false,
        reported: false,
        madeAt: undefined,
        begunAt: node.due === undefined ? -Infinity : steadyNow(steady),
        contextName: 0,
        derivedUnder: undefined,
        untraced: false,
        prev: undefined,
        next: undefined,
        older: undefined,
        newer: undefined,
        context: -1,
        holder: undefined,
        ticket: undefined,
      };
    },
    settle(work) {
      add(operations, work.kind, -1);
      if (Number.isNaN(work.endedAt)) return;
      const now = steadyNow(steady);
      const seconds = (now - work.endedAt) / 1000;
      const bucket = settleDuration.record(settleDuration.cell(work.reason, work.kind), seconds);
      if (exemplars.wants(settleDuration, bucket, now))
        exemplars.take(settleDuration, bucket, { value: seconds, now, span: work.spanContext });
      leave(work, now, false);
    },
    drop(work) {
      add(operations, work.kind, -1);
      if (!Number.isNaN(work.endedAt)) leave(work, steadyNow(steady), true);
    },
    contextEnded(work, { node, name, ending, at, madeAt }) {
      if (!Number.isNaN(work.endedAt) || ending.reason === undefined) return;
      // Nobody may have noticed a deadline that had passed before the work began.
      work.endedAt = Math.max(work.begunAt, passed(at ?? NaN, steadyNow(steady)));
      work.reason = REASON[ending.reason];
      // What is kept of the context is this: the work may never settle.
      work.contextName = name;
      work.derivedUnder = trace.getSpanContext(node);
      work.untraced = node.getValue(SUPPRESS_TRACING_KEY) === true;
      work.madeAt = madeAt;
      insert(work);
      arm();
    },
    catchUp,
    orphanTime(cell, now) {
      const running = orphansActive.values[cell] as number;
      const wasted = (running * now - (endSums[cell] as number)) / 1000;
      const time = (orphanTime.values[cell] as number) + (running === 0 ? 0 : wasted);
      // The sum is rounded in another way when one of them settles; a counter must not fall by that either.
      return (told[cell] = Math.max(told[cell] as number, time));
    },
    stop() {
      stopped = true;
      disarm();
    },
  };
}
