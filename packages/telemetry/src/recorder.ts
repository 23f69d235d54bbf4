import {
  clock,
  Flag,
  type ContextNode,
  type Ending,
  type HookEvents,
  type Operation,
} from '@curfew/context/spi';
import { context, trace } from '@opentelemetry/api';
import {
  BACKEND,
  BACKENDS,
  BOUNDARIES,
  BOUNDARY,
  BREAK,
  DETECTED_BY,
  INBOUND,
  INBOUNDS,
  LIMIT,
  ORIGIN,
  ORIGINS,
  OUTCOME,
  OUTCOMES,
  REASON,
  REASONS,
  SYSTEM,
} from './cells';
import type { Live } from './live';
import { mark, type MarkableSpan } from './marking';
import { wallTime, type OwnSpans } from './own-spans';
import type { OpenSpans } from './open-spans';
import { add, type Store } from './store';
import type { Running, Work } from './work';

/** Marking spans costs microseconds each: a cancellation of more open spans than this leaves the rest unmarked. */
const MAX_MARKED_SPANS = 1000;

export interface RecorderParts {
  readonly store: Store;
  readonly live: Live;
  readonly work: Work;
  readonly spans: OpenSpans;
  readonly own: OwnSpans;
}

/** Listens to the hooks and turns what they tell into figures. */
export function createRecorder({ store, live, work, spans, own }: RecorderParts): Partial<HookEvents> {
  const { names, kinds, sources, numbers, histograms } = store;
  /** Operations by the number they carry in their slot. */
  const operations: (Running | undefined)[] = [];
  const freeSlots: number[] = [];
  /** The first span open under the originating node of each cancellation being delivered. */
  const firstOpens = new WeakMap<Ending, MarkableSpan>();
  let marked = 0;

  function recordEnd(node: ContextNode, ending: Ending, now: number): number {
    const outcome = OUTCOME[ending.outcome];
    const { slot } = node;
    let name: number;
    if (slot < 0) {
      // Derived before telemetry was installed: its end still counts, or the sums would not agree.
      name = names.index(node.name);
    } else {
      name = live.name(slot);
      histograms.duration.record(outcome, (now - live.startedAt(slot)) / 1000);
      live.remove(slot);
      node.slot = -1;
      add(numbers.active, name, -1);
    }
    add(numbers.ended, name * OUTCOMES + outcome, 1);
    return name;
  }

  function recordCancellation(ending: Ending, name: number, reason: number): void {
    add(numbers.cancellations, (name * REASONS + reason) * ORIGINS + ORIGIN[ending.origin], 1);
    histograms.fanout.record(reason, ending.fanout);
    if (ending.detectedBy !== undefined) {
      histograms.lateness.record(DETECTED_BY[ending.detectedBy], (ending.markedAt - ending.at) / 1000);
    }
  }

  function leaveWorkBehind(node: ContextNode, slot: number, ending: Ending, name: number): void {
    for (let operation = node.operations; operation !== undefined; operation = operation.next) {
      const running = operations[operation.slot];
      if (running !== undefined) work.contextEnded(running, node, ending, ending.at);
    }
    if (slot < 0) return;
    const at = wallTime(ending.at, ending.markedAt);
    for (let open = spans.oldest(slot); open !== undefined; open = open.newer) {
      work.contextEnded(open, node, ending, ending.at);
      if (open.span === undefined) continue;
      if (++marked > MAX_MARKED_SPANS) add(numbers.overflows, LIMIT.span, 1);
      else mark(open.span, node, ending, names.value(name), at);
    }
  }

  return {
    contextStarted(node) {
      const name = names.index(node.name);
      node.slot = live.add(clock().now(), name, (node.flags & Flag.LONG_LIVED) !== 0);
      add(numbers.active, name, 1);
    },

    contextEnded(node, ending) {
      const { slot } = node;
      const { reason } = ending;
      if (reason === undefined) {
        recordEnd(node, ending, clock().now());
        if (slot >= 0) spans.release(slot);
        return;
      }
      const name = recordEnd(node, ending, ending.markedAt);
      if (ending.node === node) {
        recordCancellation(ending, name, REASON[reason]);
        marked = 0;
        const open = slot < 0 ? undefined : spans.oldest(slot)?.span;
        if (open !== undefined) firstOpens.set(ending, open);
      }
      leaveWorkBehind(node, slot, ending, name);
      if (slot >= 0) spans.release(slot);
    },

    cancellationDelivered(ending) {
      const { node, reason } = ending;
      if (reason === undefined || node === undefined) return;
      const now = clock().now();
      const cell = REASON[reason] * BOUNDARIES + BOUNDARY.in_process;
      histograms.propagation.record(cell, (now - ending.at) / 1000);
      const open = firstOpens.get(ending);
      own.cancelled(ending, node, names.value(names.index(node.name)), open, now);
    },

    operationBegun(operation: Operation) {
      const running = work.begin(kinds.index(operation.kind), {
        name: operation.name,
        span: undefined,
        spanContext: trace.getSpanContext(context.active()),
      });
      const slot = freeSlots.pop() ?? operations.length;
      operations[slot] = running;
      operation.slot = slot;
      const { node } = operation;
      // Work that starts under a context which has ended is in flight from its own start.
      if (node.ending !== undefined) work.contextEnded(running, node, node.ending, clock().now());
    },

    operationSettled(operation: Operation) {
      const { slot } = operation;
      const running = operations[slot];
      if (running === undefined) return;
      operations[slot] = undefined;
      freeSlots.push(slot);
      operation.slot = -1;
      work.settle(running);
    },

    chainBroken({ cause }) {
      add(numbers.breaks, BREAK[cause], 1);
    },

    cancellationObserved({ reason, origin }) {
      add(numbers.observed, REASON[reason] * ORIGINS + ORIGIN[origin], 1);
    },

    deadlineReceived({ source, outcome, remaining }) {
      const from = sources.index(source);
      add(numbers.inbound, from * INBOUNDS + INBOUND[outcome], 1);
      if (remaining !== undefined) histograms.remaining.record(from, remaining / 1000);
    },

    callRefused({ source }) {
      add(numbers.rejections, sources.index(source), 1);
    },

    backendCancel({ system, outcome, duration }) {
      const database = SYSTEM[system as keyof typeof SYSTEM] ?? SYSTEM._OTHER;
      histograms.backendCancel.record(database * BACKENDS + BACKEND[outcome], duration / 1000);
    },
  };
}
