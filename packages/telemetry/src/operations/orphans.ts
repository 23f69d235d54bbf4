import { SUPPRESS_TRACING_KEY } from '@curfew/context/spi';
import { trace } from '@opentelemetry/api';
import { createAlarm } from '../figures/alarm';
import type { Exemplars } from '../figures/exemplars';
import { passed, risingNow, type RisingClock } from '../figures/rising-clock';
import { add, show, type Store } from '../figures/store';
import { REASON } from '../registry/value-numbers';
import type { EndedContext, LeftBehind, Running } from './work';

/**
 * Work whose context has ended for a reason: settling late, orphaned, reported. It stands in one list, in the order of
 * the ends, so that whoever is next to become an orphan is found without a search. This file alone makes and writes
 * the records of it.
 */
export interface Orphans {
  /** From here on the work settles, or becomes an orphan. */
  leave(work: Running, ended: EndedContext): LeftBehind;
  settle(left: LeftBehind): void;
  /** It was garbage-collected unsettled: it runs no more, and nobody knows since when. */
  drop(left: LeftBehind): void;
  /** Brings orphans up to date with the clock, before figures are read. */
  catchUp(now: number): void;
  /** Seconds that the orphans of a cell have wasted so far, those that still run included. */
  wastedTime(cell: number, now: number): number;
  stop(): void;
}

export interface OrphanParts {
  readonly store: Store;
  readonly exemplars: Exemplars;
  readonly rising: RisingClock;
  /** Milliseconds. */
  readonly orphanGrace: number;
  /** Milliseconds. */
  readonly orphanReportAfter: number;
  /** Work became an orphan. It may never settle: from here on it lives as long as whoever could settle it. */
  letGo(work: Running): void;
  /** An orphan settled at `now`; or was found then to have been garbage-collected unsettled. */
  onSettled(orphan: LeftBehind, now: number, collected: boolean): void;
  /** An orphan has been running for `orphanReportAfter`. */
  onReport(orphan: LeftBehind, now: number): void;
}

interface Entry extends LeftBehind {
  isOrphan: boolean;
  isReported: boolean;
  /** Neighbours by `endedAt`. */
  previous: Entry | undefined;
  next: Entry | undefined;
}

export function createOrphans(parts: OrphanParts): Orphans {
  const { store, exemplars, rising, orphanGrace, orphanReportAfter } = parts;
  const { orphans, orphansActive, orphanTime } = store.numbers;
  const { settle: settleDuration } = store.histograms;
  /** For each cell of running orphans, the sum of the instants at which their contexts ended, in ms. */
  const endSums = new Float64Array(orphansActive.size);
  /** The seconds of each cell, as they were read last. */
  const readLast = new Float64Array(orphansActive.size);
  let first: Entry | undefined;
  let last: Entry | undefined;
  /** In the list, everything before this one is an orphan. */
  let nextOrphan: Entry | undefined;
  /** In the list, everything before this one has been reported. */
  let nextReport: Entry | undefined;

  const cellOf = ({ work, reason }: LeftBehind) => orphans.cell(work.kind, reason);

  function insert(left: Entry): void {
    let previous = last;
    while (previous !== undefined && previous.endedAt > left.endedAt) previous = previous.previous;
    left.previous = previous;
    left.next = previous === undefined ? first : previous.next;
    if (left.previous === undefined) first = left;
    else left.previous.next = left;
    if (left.next === undefined) last = left;
    else left.next.previous = left;
    // A deadline that a blocked loop noticed late lies before others that have long been dealt with.
    if (nextOrphan === undefined || left.endedAt < nextOrphan.endedAt) nextOrphan = left;
    if (nextReport === undefined || left.endedAt < nextReport.endedAt) nextReport = left;
  }

  function remove(left: Entry): void {
    if (nextOrphan === left) nextOrphan = left.next;
    if (nextReport === left) nextReport = left.next;
    if (left.previous === undefined) first = left.next;
    else left.previous.next = left.next;
    if (left.next === undefined) last = left.previous;
    else left.next.previous = left.previous;
    left.previous = undefined;
    left.next = undefined;
  }

  function becomeOrphan(left: Entry, now: number): void {
    left.isOrphan = true;
    parts.letGo(left.work);
    const cell = cellOf(left);
    add(orphans, cell, 1);
    add(orphansActive, cell, 1);
    show(orphansActive, cell);
    endSums[cell] = (endSums[cell] as number) + left.endedAt;
    if (exemplars.wants(orphans, cell, now))
      exemplars.take(orphans, cell, { value: 1, now, span: left.work.spanContext });
  }

  function stopRunning(left: Entry, now: number, collected: boolean): void {
    const cell = cellOf(left);
    const took = now - left.endedAt;
    // A blocked loop may have kept the timer from telling.
    if (!left.isOrphan && took >= orphanGrace) becomeOrphan(left, now);
    remove(left);
    if (left.isOrphan) {
      add(orphansActive, cell, -1);
      endSums[cell] = (endSums[cell] as number) - left.endedAt;
      add(orphanTime, cell, took / 1000);
    }
    if (first === undefined) alarm.set(Infinity, now);
    if (left.isOrphan) parts.onSettled(left, now, collected);
  }

  function catchUp(now: number): void {
    while (nextOrphan !== undefined && now - nextOrphan.endedAt >= orphanGrace) {
      const left = nextOrphan;
      nextOrphan = left.next;
      if (!left.isOrphan) becomeOrphan(left, now);
    }
    while (nextReport !== undefined && now - nextReport.endedAt >= orphanReportAfter) {
      const left = nextReport;
      nextReport = left.next;
      if (left.isReported) continue;
      left.isReported = true;
      parts.onReport(left, now);
    }
    alarm.set(nextInstant(), now);
  }

  /** The next instant at which something has to be noticed. */
  function nextInstant(): number {
    const orphan = nextOrphan === undefined ? Infinity : nextOrphan.endedAt + orphanGrace;
    const report = nextReport === undefined ? Infinity : nextReport.endedAt + orphanReportAfter;
    return Math.min(orphan, report);
  }

  const alarm = createAlarm(() => catchUp(risingNow(rising)));

  return {
    leave(work, { node, name, ending, at, madeAt }) {
      const now = risingNow(rising);
      const left: Entry = {
        work,
        // Nobody may have noticed a deadline that had passed before the work began.
        endedAt: Math.max(work.begunAt, passed(at ?? NaN, now)),
        reason: REASON[ending.reason ?? 'canceled'],
        contextName: name,
        derivedUnder: trace.getSpanContext(node),
        untraced: node.getValue(SUPPRESS_TRACING_KEY) === true,
        madeAt,
        isOrphan: false,
        isReported: false,
        previous: undefined,
        next: undefined,
      };
      insert(left);
      alarm.set(nextInstant(), now);
      return left;
    },
    settle(left) {
      const now = risingNow(rising);
      const seconds = (now - left.endedAt) / 1000;
      const bucket = settleDuration.record(settleDuration.cell(left.reason, left.work.kind), seconds);
      if (exemplars.wants(settleDuration, bucket, now))
        exemplars.take(settleDuration, bucket, { value: seconds, now, span: left.work.spanContext });
      stopRunning(left as Entry, now, false);
    },
    drop: (left) => stopRunning(left as Entry, risingNow(rising), true),
    catchUp,
    wastedTime(cell, now) {
      const running = orphansActive.values[cell] as number;
      const wasted = (running * now - (endSums[cell] as number)) / 1000;
      const time = (orphanTime.values[cell] as number) + (running === 0 ? 0 : wasted);
      // The sum is rounded in another way when one of them settles; a counter must not fall by that either.
      return (readLast[cell] = Math.max(readLast[cell] as number, time));
    },
    stop: () => alarm.stop(),
  };
}
