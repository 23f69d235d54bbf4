import type { ContextNode, Ending } from '@curfew/context/spi';
import type { SpanContext } from '@opentelemetry/api';
import type { Exemplars } from '../figures/exemplars';
import { repeated } from '../figures/labels';
import { risingNow, type RisingClock } from '../figures/rising-clock';
import { add, recordable, type Store } from '../figures/store';
import type { RunningWork } from '../operations/running';
import type { MarkableSpan, Running } from '../operations/work';
import { DETECTED_BY, LIMIT, REASON } from '../registry/value-numbers';
import { excuseAbort, mark } from '../spans/marking';
import { spanOfContext, wallTime, type CurfewSpans } from '../spans/curfew-spans';
import type { TellEvent } from '../spans/span-events';
import type { Stacks } from '../warnings/stacks';

/** Marking spans costs microseconds each: a cancellation of more open spans than this leaves the rest unmarked. */
const MAX_MARKED_SPANS = 1000;

/** Records cancellations: what they started from, what they reached, and how long the news took. */
export interface Cancellations {
  /** The context in a row, or in none (-1), ended for a reason; `name` is the number of its name. */
  ended(node: ContextNode, row: number, ending: Ending, name: number): void;
  /** A context was released: what is still on its way under it is aborted, and that is no error of its spans. */
  excuse(node: ContextNode, row: number, ending: Ending): void;
  /** The last listener of a cancellation has returned. */
  delivered(ending: Ending): void;
}

export interface CancellationParts {
  readonly store: Store;
  readonly running: RunningWork;
  readonly curfewSpans: CurfewSpans;
  readonly exemplars: Exemplars;
  readonly rising: RisingClock;
  readonly stacks: Stacks | undefined;
  readonly tell: TellEvent;
  /** Called with what a span threw that is not the SDK's own. */
  onError(error: unknown): void;
}

/** A cancellation from its marking until its last listener has returned. */
interface Delivery {
  readonly ending: Ending;
  readonly name: number;
  /** The first span open under the originating node, and the one that exemplars lead to. */
  readonly first: SpanContext | undefined;
  readonly span: SpanContext | undefined;
}

export function createCancellations(parts: CancellationParts): Cancellations {
  const { store, running, curfewSpans, exemplars, rising, stacks, tell, onError } = parts;
  const { names } = store;
  const { cancellations, overflows } = store.numbers;
  const { fanout, lateness, propagation } = store.histograms;
  const originNumber = repeated(store.labels['curfew.cancel.origin']);
  const inProcess = store.labels['curfew.propagation.boundary'].find('in_process');
  /** Several at a time, which end in any order: a listener may cancel something else, and a merge ends with its other. */
  const deliveries: Delivery[] = [];
  let marked = 0;

  function record(ending: Ending, name: number, span: SpanContext | undefined): void {
    const reason = REASON[ending.reason ?? 'canceled'];
    const now = ending.markedAt;
    const cell = cancellations.cell(name, reason, originNumber(ending.origin));
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

  function leaveWorkBehind(node: ContextNode, row: number, ending: Ending, name: number): void {
    const operation = running.firstOperation(row, node);
    const span = running.firstSpan(row, node);
    if (operation === undefined && span === undefined) return;
    const madeAt = row < 0 ? undefined : stacks?.of(row);
    const left = { node, name, ending, at: ending.at, madeAt };
    for (let work = operation; work !== undefined; work = work.newer) running.leave(work, left);
    for (let work = span; work !== undefined; work = work.newer) running.leave(work, left);
    const at = wallTime(ending.at, ending.markedAt);
    eachSpan(span, (open) => {
      if (++marked > MAX_MARKED_SPANS) add(overflows, LIMIT.span, 1);
      else mark(open, { node, ending, name: names.value(name), at, tell });
    });
  }

  /** Nearly always the last one, and to look there first costs less than a Map of them. */
  function takeDelivery(ending: Ending): Delivery | undefined {
    if (deliveries.at(-1)?.ending === ending) return deliveries.pop();
    const index = deliveries.findIndex((each) => each.ending === ending);
    return index < 0 ? undefined : deliveries.splice(index, 1)[0];
  }

  /** Writes on spans, from the first one on. One may be of somebody's own making, and throw. */
  function eachSpan(first: Running | undefined, write: (span: MarkableSpan) => void): void {
    for (let work = first, newer; work !== undefined; work = newer) {
      // What is written may end the span, which takes it out of the list.
      newer = work.newer;
      const span = running.spanOf(work);
      try {
        if (span !== undefined) write(span);
      } catch (error) {
        onError(error);
      }
    }
  }

  return {
    ended(node, row, ending, name) {
      if (ending.node === node) {
        const first = running.firstSpan(row, node)?.spanContext;
        const span = exemplars.kept ? spanOfContext(node, first) : undefined;
        deliveries.push({ ending, name, first, span });
        marked = 0;
        record(ending, name, span);
      }
      leaveWorkBehind(node, row, ending, name);
    },

    excuse(node, row, ending) {
      eachSpan(running.firstSpan(row, node), (span) => excuseAbort(span, ending));
    },

    delivered(ending) {
      const { node, reason } = ending;
      if (reason === undefined || node === undefined) return;
      const now = risingNow(rising);
      // There is none where telemetry was installed in the middle of a cancellation.
      const delivery = takeDelivery(ending);
      const seconds = recordable((now - ending.at) / 1000);
      const bucket = propagation.record(propagation.cell(REASON[reason], inProcess), seconds);
      if (exemplars.wants(propagation, bucket, now))
        exemplars.take(propagation, bucket, { value: seconds, now, span: delivery?.span });
      const name = names.value(delivery?.name ?? names.find(node.name));
      curfewSpans.cancelled(ending, node, name, delivery?.first, now);
    },
  };
}
