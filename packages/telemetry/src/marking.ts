import { RESPONSE_KEY, type ContextNode, type Ending, type Origin } from '@curfew/context/spi';
import { SpanKind, SpanStatusCode, type Attributes, type Span, type SpanStatus } from '@opentelemetry/api';
import type { TellEvent } from './events';
import { EVENTS } from './registry';

/** A span of an SDK, seen through the API's types alone: both lines of the SDK have a `kind`. */
export interface MarkableSpan extends Span {
  readonly kind?: SpanKind;
}

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
  keep(verdictOn(span, node, ending), span, node, ending);
}

/** Of a span that is open under a context which is released: that it was aborted is no error. */
export function excuseAbort(span: MarkableSpan, ending: Ending): void {
  // After a request has retired nothing is aborted.
  if (!ending.retired && span.isRecording()) filterAborts(span, 'none');
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
  else filterAborts(span, verdict);
}

function describe(span: Span, node: ContextNode, ending: Ending): void {
  if (ending.reason === undefined) return;
  const origin: Origin = ending.node === node ? ending.origin : 'parent';
  span.setAttributes({ 'curfew.cancel.reason': ending.reason, 'curfew.cancel.origin': origin });
}

/** Whether the end of its context is an error of a span: an error of type `timeout`, none, or as the span says. */
type Verdict = 'timeout' | 'none' | 'its own';

/** An intentional cancel is no error, nor is what ended because its parent did; a deadline is one of what was called. */
function verdictOn({ kind }: MarkableSpan, node: ContextNode, { node: origin, reason }: Ending): Verdict {
  if (reason !== 'deadline_exceeded') return 'none';
  if (kind === SpanKind.CLIENT || kind === SpanKind.SERVER) return 'timeout';
  return origin === node ? 'its own' : 'none';
}

function keep(verdict: Verdict, span: MarkableSpan, node: ContextNode, ending: Ending): void {
  if (verdict === 'timeout') keepTimeout(span, node, ending);
  else if (verdict === 'none') keepUnset(span, node, ending);
}

const ERROR_TYPE = 'error.type';

/** Written by instrumentations of both generations of the semantic conventions. */
const STATUS_CODES = ['http.response.status_code', 'http.status_code'];

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

/** As `DisconnectCause` of `@curfew/context/spi`; but a cause may be anything, and throw when it is looked at. */
function saysUnsent(cause: unknown): boolean {
  try {
    return (cause as { responseStarted?: unknown } | null | undefined)?.responseStarted === false;
  } catch {
    return false;
  }
}

// An instrumentation writes its verdict when the span ends, and what is written cannot be taken back: a status cannot
// return to UNSET, an attribute cannot be removed. So the writes themselves are filtered, on this one span, from the
// moment its context has ended.

type Value = Attributes[string];

interface Filter {
  /** What to write for an attribute; `undefined` for nothing. */
  attribute(key: string, value: Value): Value | undefined;
  status(status: SpanStatus): SpanStatus | undefined;
  exception(error: unknown): boolean;
}

function filterWrites(span: Span, filter: Filter): void {
  const setAttribute: Span['setAttribute'] = span.setAttribute.bind(span);
  const setStatus: Span['setStatus'] = span.setStatus.bind(span);
  const recordException: Span['recordException'] = span.recordException.bind(span);
  span.setAttribute = (key, value) => {
    const kept = filter.attribute(key, value);
    return kept === undefined ? span : setAttribute(key, kept);
  };
  span.setAttributes = (attributes) => {
    for (const [key, value] of Object.entries(attributes)) {
      if (value !== undefined) span.setAttribute(key, value);
    }
    return span;
  };
  span.setStatus = (status) => {
    const kept = filter.status(status);
    return kept === undefined ? span : setStatus(kept);
  };
  span.recordException = (error, time) => {
    if (filter.exception(error)) recordException(error, time);
  };
}

/**
 * What says that this is an error is not written. A server's own failure, which it told its client before that went
 * away, still is one.
 */
function keepUnset(span: MarkableSpan, node: ContextNode, ending: Ending): void {
  const isUnsent = headWatch(span, node, ending);
  const isServer = span.kind === SpanKind.SERVER;
  let failed = false;
  filterWrites(span, {
    attribute(key, value) {
      if (key === ERROR_TYPE) return failed ? value : undefined;
      if (!STATUS_CODES.includes(key)) return value;
      if (isUnsent()) return undefined;
      failed = isServer && Number(value) >= 500;
      return value;
    },
    status: (status) => (status.code === SpanStatusCode.ERROR && !failed ? undefined : status),
    exception: () => false,
  });
}

const TIMEOUT: SpanStatus = { code: SpanStatusCode.ERROR, message: 'context deadline exceeded' };

/** A deadline is an error of type `timeout`, whatever number or class name the instrumentation knows it by. */
function keepTimeout(span: MarkableSpan, node: ContextNode, ending: Ending): void {
  const isUnsent = headWatch(span, node, ending);
  span.setStatus(TIMEOUT);
  span.setAttribute(ERROR_TYPE, 'timeout');
  filterWrites(span, {
    attribute(key, value) {
      if (key === ERROR_TYPE) return 'timeout';
      return STATUS_CODES.includes(key) && isUnsent() ? undefined : value;
    },
    status: () => undefined,
    exception: () => true,
  });
}

/** What the errors of a cancellation are called: by name, by code, by DOMException's numbers, by message. */
const ABORTS = new Set<unknown>([
  'AbortError',
  'ABORT_ERR',
  20,
  'TimeoutError',
  'ERR_DEADLINE_EXCEEDED',
  23,
  'context canceled',
  'context deadline exceeded',
  'The operation was aborted',
  'This operation was aborted',
]);

/**
 * Of work that may have been aborted: an abort is judged, any other failure is its own. So it is with what a release
 * ends, and with what is begun too late.
 */
function filterAborts(span: Span, verdict: Verdict): void {
  if (verdict === 'its own') return;
  const isTimeout = verdict === 'timeout';
  let aborted = false;
  const tells = (what: unknown) => (aborted ||= ABORTS.has(what));
  filterWrites(span, {
    attribute(key, value) {
      if (key !== ERROR_TYPE || !tells(value)) return value;
      return isTimeout ? 'timeout' : undefined;
    },
    status(status) {
      if (status.code !== SpanStatusCode.ERROR || !tells(status.message)) return status;
      return isTimeout ? TIMEOUT : undefined;
    },
    exception: (error) => isTimeout || !tells((error as { name?: unknown } | null | undefined)?.name),
  });
}
