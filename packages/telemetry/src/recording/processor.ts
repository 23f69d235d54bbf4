import { hooks, NODE_KEY, type RootMark } from '@curfew/context/spi';
import { context, SpanKind, trace, type Context as OtelContext } from '@opentelemetry/api';
import { nodeOf } from '../core';
import { rowOf, type OpenContexts } from '../figures/open-contexts';
import { markLate } from '../spans/marking';
import type { CurfewSpans } from '../spans/curfew-spans';
import type { Store } from '../figures/store';
import type { RunningWork } from '../operations/running';
import type { MarkableSpan, Running } from '../operations/work';

/** What both lines of the SDK ask of a span processor, in the API's types alone. */
export interface CurfewSpanProcessor {
  onStart(span: MarkableSpan, parentContext: OtelContext): void;
  onEnd(span: object): void;
  forceFlush(): Promise<void>;
  shutdown(): Promise<void>;
}

export interface ProcessorParts {
  readonly store: Store;
  readonly running: RunningWork;
  readonly curfewSpans: CurfewSpans;
  readonly open: OpenContexts;
  /** Called with what was thrown: a processor's exception would reach the application. */
  onError(error: unknown): void;
}

/** The kinds of operations that spans are, by their SpanKind. */
const KINDS: readonly string[] = [
  SpanKind.INTERNAL,
  SpanKind.SERVER,
  SpanKind.CLIENT,
  SpanKind.PRODUCER,
  SpanKind.CONSUMER,
].map((kind) => SpanKind[kind].toLowerCase());

/**
 * Sees every span whose parent context carries a node as an operation, whatever instrumentation made it: a
 * service that is already instrumented is observed without a change. A span that is not sampled counts as long as it
 * records; of one that does not record the SDK tells no processor, nor of any while tracing is suppressed.
 */
export function createProcessor(parts: ProcessorParts): CurfewSpanProcessor {
  const { store, running, curfewSpans, open, onError } = parts;
  // On the span itself, under a symbol of this processor's own: in a WeakMap every young span would live until a full
  // collection, for half a microsecond each.
  const WORK = Symbol('curfew.work');
  type Marked<T> = T & { [WORK]?: Running | undefined };
  /** That of spans which take no field, such as frozen ones, once there was one. */
  let beside: WeakMap<object, Running> | undefined;
  let active = true;

  const workOf = (span: Marked<object>) => span[WORK] ?? beside?.get(span);

  function started(span: Marked<MarkableSpan>, parentContext: OtelContext): void {
    const node = nodeOf(parentContext);
    if (node === undefined) {
      tellBrokenChain(span, parentContext);
      return;
    }
    // One that was registered twice is told twice.
    if (workOf(span) !== undefined) return;
    const kind = KINDS[span.kind ?? SpanKind.INTERNAL] ?? KINDS[SpanKind.INTERNAL];
    const start = { kind: store.kinds.index(kind), node, row: rowOf(open, node) };
    const work = running.beginSpan(span, start);
    try {
      span[WORK] = work;
    } catch {
      (beside ??= new WeakMap<object, Running>()).set(span, work);
    }
    // Last, since a span of somebody's own making may throw.
    if (node.ending !== undefined) markLate(span, node, node.ending);
  }

  return {
    onStart(span, parentContext) {
      if (!active || curfewSpans.starting) return;
      try {
        started(span, parentContext);
      } catch (error) {
        onError(error);
      }
    },
    onEnd(span: Marked<object>) {
      try {
        const work = workOf(span);
        if (work === undefined) return;
        if (beside?.delete(span) !== true) span[WORK] = undefined;
        running.settle(work);
      } catch (error) {
        onError(error);
      }
    },
    forceFlush: () => Promise.resolve(),
    shutdown() {
      active = false;
      return Promise.resolve();
    },
  };
}

/**
 * A span started from a root although a live context was active. Servers and consumers start from what the wire
 * brought, and work that was detached on purpose is no mistake.
 */
function tellBrokenChain(span: MarkableSpan, parentContext: OtelContext): void {
  if (hooks.chainBroken === undefined) return;
  if (span.kind === SpanKind.SERVER || span.kind === SpanKind.CONSUMER) return;
  if (trace.getSpanContext(parentContext) !== undefined) return;
  // A mark of a detached context, or a node of another protocol, which is no root either.
  const carried = parentContext.getValue(NODE_KEY) as Partial<RootMark> | undefined;
  if (carried !== undefined && carried.root !== 'todo') return;
  const around = nodeOf(context.active());
  if (around !== undefined && around.ending === undefined)
    hooks.chainBroken({ cause: 'root_span', active: around });
}
