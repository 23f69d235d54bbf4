import { clock, type ContextNode, type Ending } from '@curfew/context/spi';
import { context, SpanKind, trace, type Context as OtelContext, type SpanContext } from '@opentelemetry/api';
import { REASON_NAMES } from './cells';
import type { MarkableSpan } from './marking';
import { SPAN_ATTRIBUTES, SPANS } from './registry';
import type { Running } from './work';

/** The spans that Curfew itself makes. They are never operations of their own. */
export interface OwnSpans {
  /** `true` while one of them is being started, so that the processor passes it by. */
  readonly starting: boolean;
  /** One for each originating cancellation, at the moment its last listener returned. */
  cancelled(
    ending: Ending,
    node: ContextNode,
    name: string,
    open: MarkableSpan | undefined,
    now: number,
  ): void;
  /** One for each orphan, when it settles. */
  orphaned(work: Running, kind: string, now: number): void;
}

/** Epoch ms of a monotonic instant, by way of the present. */
export function wallTime(at: number, now: number): number {
  return clock().wallNow() - (now - at);
}

export function createOwnSpans(version: string): OwnSpans {
  let starting = false;

  function emit(
    name: string,
    parent: OtelContext,
    from: number,
    now: number,
    attributes: Record<string, string | number | boolean>,
  ): void {
    starting = true;
    try {
      const span = trace.getTracer('@curfew/telemetry', version).startSpan(
        name,
        {
          kind: SpanKind.INTERNAL,
          startTime: wallTime(from, now),
          attributes: { [SPAN_ATTRIBUTES.own]: true, ...attributes },
        },
        parent,
      );
      span.end(wallTime(now, now));
    } finally {
      starting = false;
    }
  }

  return {
    get starting() {
      return starting;
    },
    cancelled(ending, node, name, open, now) {
      emit(SPANS.cancel, parentOf(node, open), ending.at, now, {
        'curfew.cancel.reason': ending.reason ?? 'canceled',
        'curfew.cancel.origin': ending.origin,
        'curfew.context.name': name,
        [SPAN_ATTRIBUTES.fanout]: ending.fanout,
        [SPAN_ATTRIBUTES.propagation]: (now - ending.at) / 1000,
      });
    },
    orphaned(work, kind, now) {
      const parent = work.node ?? context.active();
      const { spanContext } = work;
      emit(
        SPANS.orphan,
        spanContext ? trace.setSpanContext(parent, spanContext) : parent,
        work.endedAt,
        now,
        {
          'curfew.cancel.reason': REASON_NAMES[work.reason] ?? 'canceled',
          'curfew.operation.kind': kind,
          ...(work.name === undefined ? {} : { [SPAN_ATTRIBUTES.operationName]: work.name }),
        },
      );
    },
  };
}

/**
 * The parent of an own span: the span that was active where the context was derived. A request's context is
 * planted before its SERVER span starts and knows only the caller's, so there it is the first span opened under it.
 */
function parentOf(node: ContextNode, open: MarkableSpan | undefined): OtelContext {
  const derivedUnder: SpanContext | undefined = trace.getSpanContext(node);
  if (open !== undefined && (derivedUnder === undefined || derivedUnder.isRemote === true)) {
    return trace.setSpanContext(node, open.spanContext());
  }
  return node;
}
