import { clock, Flag, type ContextNode, type Ending, type HookEvents } from '@curfew/context/spi';
import { trace, type SpanContext } from '@opentelemetry/api';
import { DETECTED_BY, LIMIT, OUTCOME, REASON } from '../registry/value-numbers';
import type { Exemplars } from '../figures/exemplars';
import { repeated } from '../figures/labels';
import { addLive, nameOfLive, removeLive, slotOf, type Live } from '../figures/open-contexts';
import type { Lost } from './lost-contexts';
import type { TellEvent } from '../spans/span-events';
import { excuseAbort, mark, type MarkableSpan } from '../spans/marking';
import type { OpenWork } from '../operations/open-work';
import type { Origins } from '../warnings/stacks';
import { wallTime, type OwnSpans } from '../spans/own-spans';
import { steadyNow, type Steady } from '../figures/rising-clock';
import { add, recordable, type Store } from '../figures/store';
import type { Work } from '../operations/work';

/** Marking spans costs microseconds each: a cancellation of more open spans than this leaves the rest unmarked. */
const MAX_MARKED_SPANS = 1000;

export interface ContextParts {
  readonly store: Store;
  readonly live: Live;
  readonly work: Work;
  readonly operations: OpenWork;
  readonly spans: OpenWork;
  readonly own: OwnSpans;
  readonly exemplars: Exemplars;
  /** Where contexts were made, where that is wanted. */
  readonly origins: Origins | undefined;
  /** Watches for contexts that are lost, where that is wanted. */
  readonly lost: Lost | undefined;
  readonly durationByName: boolean;
  readonly tell: TellEvent;
  readonly steady: Steady;
  /** Called with what a span threw that is not the SDK's own. */
  onError(error: unknown): void;
}

type ContextEvents = Pick<HookEvents, 'contextStarted' | 'contextEnded' | 'cancellationDelivered'>;

/** A cancellation from its marking until its last listener has returned. */
interface Delivery {
  readonly ending: Ending;
  readonly name: number;
  /** The first span open under the originating node, and the one that exemplars lead to. */
  readonly open: MarkableSpan | undefined;
  readonly span: SpanContext | undefined;
}

/** Records the lives of contexts. In a life without a cancellation the store is updated twice. */
export function recordContexts(parts: ContextParts): ContextEvents {
  const { store, live, work, operations, spans, own, exemplars, origins, lost, steady } = parts;
  const { durationByName, tell, onError } = parts;
  const { names } = store;
  const { ended, cancellations, overflows } = store.numbers;
  const { duration, fanout, lateness, propagation } = store.histograms;
  const { 'curfew.cancel.origin': cancelOrigins, 'curfew.propagation.boundary': boundaries } = store.labels;
  const inProcess = boundaries.index('in_process');
  const nameOf = repeated(names);
  /** Innermost last: a listener may cancel something else. */
  const deliveries: Delivery[] = [];
  let marked = 0;

  function recordEnd(node: ContextNode, slot: number, outcome: number, now: number): number {
    // Derived before telemetry was installed: its end still counts, or the sums would not agree.
    const name = slot < 0 ? nameOf(node.name) : nameOfLive(live, slot);
    add(ended, ended.cell(name, outcome), 1);
    if (slot < 0) return name;
    const seconds = recordable((now - (live.startedAt[slot] as number)) / 1000);
    const bucket = duration.record(durationByName ? duration.cell(name, outcome) : outcome, seconds);
    if (exemplars.kept) exemplify(node, slot, { bucket, seconds, now });
    return name;
  }

  /** Apart from `recordEnd`, to keep that small enough to be inlined. */
  function exemplify(
    node: ContextNode,
    slot: number,
    at: { bucket: number; seconds: number; now: number },
  ): void {
    if (!exemplars.wants(duration, at.bucket, at.now)) return;
    const span = spanOf(node, spans.oldest(slot, node)?.spanContext);
    exemplars.take(duration, at.bucket, { value: at.seconds, now: at.now, span });
  }

  function release(node: ContextNode, slot: number): void {
    node.slot = -1;
    operations.release(slot, node);
    spans.release(slot, node);
    if (slot < 0) return;
    removeLive(live, slot);
    if (origins !== undefined) origins.drop(slot);
    if (lost !== undefined) lost.unwatch(slot);
  }

  function recordCancellation(ending: Ending, name: number, span: SpanContext | undefined): void {
    const reason = REASON[ending.reason ?? 'canceled'];
    const now = ending.markedAt;
    const cell = cancellations.cell(name, reason, cancelOrigins.index(ending.origin));
    add(cancellations, cell, 1);
    const reached = fanout.record(reason, ending.fanout);
    if (exemplars.kept) {
      exemplars.take(cancellations, cell, { value: 1, now, span });
      exemplars.take(fanout, reached, { value: ending.fanout, now, span });
    }
    if (ending.detectedBy === undefined) return;
    const seconds = recordable((now - ending.at) / 1000);
    const bucket = lateness.record(DETECTED_BY[ending.detectedBy], seconds);
    if (exemplars.kept) exemplars.take(lateness, bucket, { value: seconds, now, span });
  }

  function leaveWorkBehind(node: ContextNode, slot: number, ending: Ending, name: number): void {
    const madeAt = slot < 0 ? undefined : origins?.of(slot);
    const left = { node, name, ending, at: ending.at, madeAt };
    for (let open = operations.oldest(slot, node); open !== undefined; open = open.newer) {
      work.contextEnded(open, left);
    }
    const at = wallTime(ending.at, ending.markedAt);
    for (let open = spans.oldest(slot, node); open !== undefined; open = open.newer) {
      work.contextEnded(open, left);
      if (open.span === undefined) continue;
      if (++marked > MAX_MARKED_SPANS) {
        add(overflows, LIMIT.span, 1);
        continue;
      }
      try {
        mark(open.span, { node, ending, name: names.value(name), at, tell });
      } catch (error) {
        onError(error);
      }
    }
  }

  /** A release aborts what is still on its way under it, and that is no error of its spans. */
  function excuseAborts(node: ContextNode, slot: number, ending: Ending): void {
    for (let open = spans.oldest(slot, node); open !== undefined; open = open.newer) {
      if (open.span === undefined) continue;
      try {
        excuseAbort(open.span, ending);
      } catch (error) {
        onError(error);
      }
    }
  }

  return {
    contextStarted({ node, now }) {
      const slot = addLive(live, reading(now), nameOf(node.name), (node.flags & Flag.LONG_LIVED) !== 0);
      node.slot = live.first + slot;
      if (origins !== undefined) origins.capture(slot);
      if (lost !== undefined) lost.watch(node, slot);
    },

    contextEnded({ node, ending, now }) {
      const { outcome } = ending;
      const slot = slotOf(live, node);
      if (outcome === 'completed') {
        recordEnd(node, slot, OUTCOME.completed, reading(now));
        if (ending.node !== undefined) excuseAborts(node, slot, ending);
      } else {
        const name = recordEnd(node, slot, OUTCOME[outcome], steadyNow(steady, ending.markedAt));
        if (ending.node === node) {
          const open = spans.oldest(slot, node);
          const span = exemplars.kept ? spanOf(node, open?.spanContext) : undefined;
          deliveries.push({ ending, name, open: open?.span, span });
          marked = 0;
          recordCancellation(ending, name, span);
        }
        leaveWorkBehind(node, slot, ending, name);
      }
      release(node, slot);
    },

    cancellationDelivered(ending) {
      const { node, reason } = ending;
      if (reason === undefined || node === undefined) return;
      const now = steadyNow(steady);
      // There is none where telemetry was installed in the middle of a cancellation.
      const delivery = deliveries.at(-1)?.ending === ending ? deliveries.pop() : undefined;
      const seconds = recordable((now - ending.at) / 1000);
      const bucket = propagation.record(propagation.cell(REASON[reason], inProcess), seconds);
      if (exemplars.wants(propagation, bucket, now)) {
        exemplars.take(propagation, bucket, { value: seconds, now, span: delivery?.span });
      }
      own.cancelled(ending, node, names.value(delivery?.name ?? names.peek(node.name)), delivery?.open, now);
    },
  };
}

/**
 * The time, unless the core has read it already. A life needs no more of it: where the clock
 * is set back, it lasted no time.
 */
function reading(now: number): number {
  return Number.isNaN(now) ? clock().now() : now;
}

/**
 * The span that a context belongs to: the one active where it was derived. A request's context is planted before its
 * SERVER span starts and knows only the caller's, so there it is the first span opened under it.
 */
function spanOf(node: ContextNode, open: SpanContext | undefined): SpanContext | undefined {
  const derivedUnder = trace.getSpanContext(node);
  return derivedUnder === undefined || derivedUnder.isRemote === true ? (open ?? derivedUnder) : derivedUnder;
}
