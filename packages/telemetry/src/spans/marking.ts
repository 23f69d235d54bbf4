import type { ContextNode, Ending, Origin } from '@curfew/context/spi';
import { createContextKey, SpanKind, type Span } from '@opentelemetry/api';
import { createAborts } from './aborts';
import type { TellEvent } from './span-events';
import type { MarkableSpan } from '../operations/work';
import { judge, keepTimeout, writeTimeout } from './judging';
import { EVENTS } from '../registry/span-names';

/** What a cancellation writes on a span that is open under a context that it ends. */
export interface Mark {
  readonly node: ContextNode;
  readonly ending: Ending;
  /** The context's name, as figures have it. */
  readonly name: string;
  /** Epoch ms of the end. */
  readonly at: number;
  readonly tell: TellEvent;
}

/** Marks a span that is open under a context which a cancellation ends. */
export function mark(span: MarkableSpan, { node, ending, name, at, tell }: Mark): void {
  const { reason } = ending;
  if (reason === undefined || !span.isRecording()) return;
  describe(span, node, ending);
  const severity = reason === 'canceled' ? 'DEBUG' : 'WARN';
  tell(span, { name: EVENTS[reason], at, severity, attributes: { 'curfew.context.name': name } });
  const verdict = verdictOn(span, node, ending);
  if (verdict === 'timeout' && span.kind !== SpanKind.SERVER) writeTimeout(span);
  keep(verdict, span, node, ending);
}

/** Of a span that is open under a context which is released: that it was aborted is no error. */
export function excuseAbort(span: MarkableSpan, ending: Ending): void {
  // After a request has retired nothing is aborted.
  if (!ending.retired && span.isRecording()) judgeLeniently('none', span, ending);
}

/**
 * What an ended context writes on a span that starts under it: a call that was refused, a request that arrived with
 * its budget spent, or work that nobody stopped, which may well succeed. It did not live to see the end: no event.
 */
export function markLate(span: MarkableSpan, node: ContextNode, ending: Ending): void {
  if (ending.retired || !span.isRecording()) return;
  const verdict = verdictOn(span, node, ending);
  describe(span, node, ending);
  if (span.kind === SpanKind.SERVER) keep(verdict, span, node, ending);
  else if (verdict !== 'as it says') judgeLeniently(verdict, span, ending);
}

function describe(span: Span, node: ContextNode, ending: Ending): void {
  if (ending.reason === undefined) return;
  const origin: Origin = ending.node === node ? ending.origin : 'parent';
  span.setAttributes({ 'curfew.cancel.reason': ending.reason, 'curfew.cancel.origin': origin });
}

/** Whether the end of its context is an error of a span: an error of type `timeout`, none, or as the span says. */
type Verdict = 'timeout' | 'none' | 'as it says';

/** An intentional cancel is no error, nor is what ended because its parent did; a deadline is one of what was called. */
function verdictOn({ kind }: MarkableSpan, node: ContextNode, { node: origin, reason }: Ending): Verdict {
  if (reason !== 'deadline_exceeded') return 'none';
  if (kind === SpanKind.CLIENT || kind === SpanKind.SERVER) return 'timeout';
  return origin === node ? 'as it says' : 'none';
}

/** Of a span that was open at the end, and of every server's. */
function keep(verdict: Verdict, span: MarkableSpan, node: ContextNode, ending: Ending): void {
  if (verdict === 'as it says') return;
  const isUnsent = headWatch(span, node, ending);
  const isServer = span.kind === SpanKind.SERVER;
  if (isServer && verdict === 'timeout') keepTimeout(span, isUnsent);
  else judge(span, { aborts: createAborts(ending.cause, true), verdict, isServer, isUnsent });
}

/** Of a span whose work the end cut off nowhere: it was released, or it began after the end. */
function judgeLeniently(verdict: 'timeout' | 'none', span: MarkableSpan, ending: Ending): void {
  const aborts = createAborts(ending.cause, false);
  judge(span, { aborts, verdict, isServer: false, isUnsent: () => false });
}

/** The key under which adapters keep, in a request's context, what they know of its response. */
const RESPONSE_KEY = createContextKey('@curfew/propagation.response.v1');

/** What an adapter keeps of a response: itself as long as it lives, and then whether its head had been sent. */
interface ServedHead {
  readonly response?: { readonly headersSent: boolean } | undefined;
  readonly headersSent: boolean;
}

/**
 * Tells whether a server has sent no head so far, in which case whatever status code the instrumentation makes up never
 * was. It is asked when a code is written: a deadline is answered after it has passed.
 */
function headWatch(span: MarkableSpan, node: ContextNode, ending: Ending): () => boolean {
  if (span.kind !== SpanKind.SERVER) return () => false;
  const served = node.getValue(RESPONSE_KEY) as ServedHead | undefined;
  if (served !== undefined) {
    // Weakly, for the span is kept until its export.
    const watched = new WeakRef(served);
    return () => {
      const kept = watched.deref();
      return (kept?.response ?? kept)?.headersSent === false;
    };
  }
  const unsent = saysUnsent(ending.cause);
  return () => unsent;
}

/** As adapters say of a client that left; but a cause may be anything, and throw when it is looked at. */
function saysUnsent(cause: unknown): boolean {
  try {
    return (cause as { responseStarted?: unknown } | null | undefined)?.responseStarted === false;
  } catch {
    return false;
  }
}
