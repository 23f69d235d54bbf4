import type { ContextNode, Ending } from '@curfew/context/spi';
import type { Span, SpanContext, SpanKind } from '@opentelemetry/api';

/** A span of an SDK, seen through the API's types alone: both lines of the SDK have a `kind`. */
export interface MarkableSpan extends Span {
  readonly kind?: SpanKind;
}

/** An operation or a span under a context, from its start until it settles. `running.ts` and its lists alone write it. */
export interface Running {
  /** The number of its kind. */
  readonly kind: number;
  readonly name: string | undefined;
  /** What the orphan's span is a child of: the work's own span, or the one active when it began. */
  readonly spanContext: SpanContext | undefined;
  /** Monotonic ms; -Infinity where its context had no deadline that could have passed by then. */
  readonly begunAt: number;
  /** Where its context has ended for a reason. */
  readonly left: LeftBehind | undefined;
  /** The next of its sort that began under the same context. */
  readonly newer: Running | undefined;
}

/**
 * Work whose context ended for a reason before it settled: it settles late, or becomes an orphan. What is kept of the
 * context is this, since the work may never settle. `orphans.ts` alone makes and writes it.
 */
export interface LeftBehind {
  readonly work: Running;
  /** Monotonic ms at which its context ended. */
  readonly endedAt: number;
  /** The number of the reason. */
  readonly reason: number;
  /** The number of the context's name. */
  readonly contextName: number;
  /** The span that the context was derived under. */
  readonly derivedUnder: SpanContext | undefined;
  /** Whether the context is not to be traced. */
  readonly untraced: boolean;
  /** Where the context was made, where that is known. */
  readonly madeAt: string | undefined;
}

/** The end that work is left behind by. */
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
