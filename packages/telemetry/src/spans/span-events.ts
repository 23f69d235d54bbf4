import type { Span } from '@opentelemetry/api';
import type { EmitLogRecord } from '../log-emitter';

/** Something that happened to a span at an instant. */
export interface SpanEvent {
  readonly name: string;
  /** Epoch ms. */
  readonly at: number;
  /** How grave it is, where it is told as a log record. */
  readonly severity: 'DEBUG' | 'WARN';
  readonly attributes: Readonly<Record<string, string>>;
}

export type TellEvent = (span: Span, event: SpanEvent) => void;

/** The one switch for events: on the span, as everybody shows them, or as log records, as the convention moves. */
export function createEventTeller(as: 'span' | 'log', emit: EmitLogRecord): TellEvent {
  if (as === 'span') return (span, { name, at, attributes }) => void span.addEvent(name, attributes, at);
  return (span, { name, at, severity, attributes }) =>
    emit({ eventName: name, severity, attributes, span: span.spanContext(), at });
}
