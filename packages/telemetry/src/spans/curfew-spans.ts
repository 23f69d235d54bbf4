import type { ContextNode, Ending } from '@curfew/context/spi';
import {
  context,
  isSpanContextValid,
  ROOT_CONTEXT,
  SpanKind,
  trace,
  type Context as OtelContext,
  type Link,
  type SpanContext,
} from '@opentelemetry/api';
import { clock } from '../core';
import { REASON_NAMES } from '../registry/value-numbers';
import { clean } from '../figures/labels';
import { SPAN_ATTRIBUTES, SPANS } from '../registry/span-names';
import type { LeftBehind } from '../operations/work';

/** The spans that Curfew itself makes. They are never operations of their own. */
export interface CurfewSpans {
  /** `true` while one of them is being started or ended, so that the processor passes it by. */
  readonly starting: boolean;
  /** One for each originating cancellation, at the moment its last listener returned. */
  cancelled(
    ending: Ending,
    node: ContextNode,
    name: string,
    open: SpanContext | undefined,
    now: number,
  ): void;
  /** One for each orphan, when it settles or nobody can settle it any more. */
  orphaned(orphan: LeftBehind, stopped: Stopped): void;
}

/** How an orphan stopped. */
interface Stopped {
  /** The kind of its work. */
  readonly kind: string;
  readonly now: number;
  /** It did not settle, but was garbage-collected: when it really stopped is not known. */
  readonly collected: boolean;
}

/** A span that is over already. */
interface EndedSpan {
  readonly name: string;
  readonly parent: OtelContext;
  readonly links: Link[];
  /** Milliseconds up to the present. */
  readonly duration: number;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
}

/** Epoch ms of a monotonic instant, by way of the present. */
export function wallTime(at: number, now: number): number {
  return wallNow() - elapsed(at, now);
}

/** A time that is none would cost an exporter its whole batch. */
function wallNow(): number {
  const now = clock().wallNow();
  return Number.isFinite(now) ? now : Date.now();
}

export function createCurfewSpans(version: string): CurfewSpans {
  let starting = false;

  function emit({ name, parent, links, duration, attributes }: EndedSpan): void {
    const outer = starting;
    starting = true;
    try {
      // Read once: the wall clock may be set at any moment.
      const end = wallNow();
      const options = {
        kind: SpanKind.INTERNAL,
        startTime: end - duration,
        links,
        attributes: { [SPAN_ATTRIBUTES.own]: true, ...attributes },
      };
      // An exporter may be called from within `end`, and must not be cancelled with the context that is active here.
      context.with(ROOT_CONTEXT, () => {
        trace.getTracer('@curfew/telemetry', version).startSpan(name, options, parent).end(end);
      });
    } finally {
      starting = outer;
    }
  }

  return {
    get starting() {
      return starting;
    },
    cancelled(ending, node, name, open, now) {
      const duration = elapsed(ending.at, now);
      emit({
        name: SPANS.cancel,
        parent: parentOf(node, open),
        links: [],
        duration,
        attributes: {
          'curfew.cancel.reason': ending.reason ?? 'canceled',
          'curfew.cancel.origin': ending.origin,
          'curfew.context.name': name,
          [SPAN_ATTRIBUTES.fanout]: ending.fanout,
          [SPAN_ATTRIBUTES.propagation]: duration / 1000,
        },
      });
    },
    orphaned({ work, derivedUnder, untraced, endedAt, reason }, { kind, now, collected }) {
      if (untraced) return;
      const { name, spanContext } = work;
      const workSpan = valid(spanContext);
      const derived = valid(derivedUnder);
      const parent = workSpan ?? derived;
      emit({
        name: SPANS.orphan,
        parent: parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, parent),
        links: linksAcross(workSpan, derived),
        duration: elapsed(endedAt, now),
        attributes: {
          'curfew.cancel.reason': REASON_NAMES[reason] ?? 'canceled',
          'curfew.operation.kind': kind,
          ...(typeof name === 'string' ? { [SPAN_ATTRIBUTES.operationName]: clean(name) } : {}),
          ...(collected ? { [SPAN_ATTRIBUTES.collected]: true } : {}),
        },
      });
    },
  };
}

/** Milliseconds between two instants of a clock that may have been swapped or set back in between. */
function elapsed(from: number, to: number): number {
  return to > from ? to - from : 0;
}

/** Where tracing is suppressed, the span that is active has no ids. */
function valid(span: SpanContext | undefined): SpanContext | undefined {
  return span !== undefined && isSpanContextValid(span) ? span : undefined;
}

/**
 * The parent of a cancellation's span: the span that was active where the context was derived. A request's context is
 * planted before its SERVER span starts and knows only the caller's, so there it is the first span opened under it,
 * unless that one began a trace of its own.
 */
function parentOf(node: ContextNode, first: SpanContext | undefined): OtelContext {
  const derivedUnder = trace.getSpanContext(node);
  if (first === undefined) return node;
  const knowsOnlyTheCaller = derivedUnder?.isRemote === true && derivedUnder.traceId === first.traceId;
  return derivedUnder === undefined || knowsOnlyTheCaller ? trace.setSpanContext(node, first) : node;
}

/** The span that a context belongs to, by the same rule: what exemplars of it lead to. */
export function spanOfContext(node: ContextNode, first: SpanContext | undefined): SpanContext | undefined {
  const derivedUnder = trace.getSpanContext(node);
  return derivedUnder === undefined || derivedUnder.isRemote === true
    ? (first ?? derivedUnder)
    : derivedUnder;
}

/** Within a trace the parent says all; from another one, a link leads to where the context was derived. */
function linksAcross(workSpan: SpanContext | undefined, derivedUnder: SpanContext | undefined): Link[] {
  if (workSpan === undefined || derivedUnder === undefined || workSpan.traceId === derivedUnder.traceId)
    return [];
  return [{ context: derivedUnder }];
}
