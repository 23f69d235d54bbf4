import type { ContextNode, Ending, Origin } from '@curfew/context/spi';
import { SpanKind, SpanStatusCode, type Attributes, type Span } from '@opentelemetry/api';
import { EVENTS } from './registry';

/** A span of an SDK, seen through the API's types alone: both lines of the SDK have a `kind`. */
export interface MarkableSpan extends Span {
  readonly kind?: SpanKind;
}

/** What an ended context writes on each span that is open under it. */
export function mark(span: MarkableSpan, node: ContextNode, ending: Ending, name: string, at: number): void {
  const { reason } = ending;
  if (reason === undefined || !span.isRecording()) return;
  const origin: Origin = ending.node === node ? ending.origin : 'parent';
  span.setAttributes({ 'curfew.cancel.reason': reason, 'curfew.cancel.origin': origin });
  span.addEvent(EVENTS[reason], { 'curfew.context.name': name }, at);
  if (reason === 'canceled') keepUnset(span, withoutStatusCode(span, ending));
  else if (span.kind === SpanKind.CLIENT || span.kind === SpanKind.SERVER) keepTimeout(span);
}

/** Written by instrumentations of both generations of the semantic conventions. */
const STATUS_CODES = ['http.response.status_code', 'http.status_code'];

/** A server whose response never started sent no status code, whatever the instrumentation makes up. */
function withoutStatusCode(span: MarkableSpan, ending: Ending): readonly string[] {
  if (span.kind !== SpanKind.SERVER) return ['error.type'];
  const { responseStarted } = (ending.cause ?? {}) as { responseStarted?: unknown };
  return responseStarted === false ? ['error.type', ...STATUS_CODES] : ['error.type'];
}

// An instrumentation writes its verdict when the span ends, and what is written cannot be taken back: a status
// cannot return to UNSET, an attribute cannot be removed. So the writes themselves are filtered, on this one span,
// from the moment its context has ended.

type Write<K extends 'setStatus' | 'setAttribute' | 'setAttributes' | 'recordException'> = Span[K];

/** An intentional cancel is no error: what says otherwise is not written. */
function keepUnset(span: Span, dropped: readonly string[]): void {
  const setStatus: Write<'setStatus'> = span.setStatus.bind(span);
  span.setStatus = (status) => (status.code === SpanStatusCode.ERROR ? span : setStatus(status));
  span.recordException = () => undefined;
  filterAttributes(span, (key, value) => (dropped.includes(key) ? undefined : value));
}

/** A deadline is an error of type `timeout`, whatever number or class name the instrumentation knows it by. */
function keepTimeout(span: Span): void {
  span.setStatus({ code: SpanStatusCode.ERROR, message: 'context deadline exceeded' });
  span.setAttribute('error.type', 'timeout');
  span.setStatus = () => span;
  filterAttributes(span, (key, value) => (key === 'error.type' ? 'timeout' : value));
}

type Value = Attributes[string];

/** Lets every attribute through that `keep` gives a value for. */
function filterAttributes(span: Span, keep: (key: string, value: Value) => Value | undefined): void {
  const setAttribute: Write<'setAttribute'> = span.setAttribute.bind(span);
  span.setAttribute = (key, value) => {
    const kept = keep(key, value);
    return kept === undefined ? span : setAttribute(key, kept);
  };
  span.setAttributes = (attributes) => {
    for (const [key, value] of Object.entries(attributes)) {
      if (value !== undefined) span.setAttribute(key, value);
    }
    return span;
  };
}
