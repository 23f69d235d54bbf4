import { SpanKind, TraceFlags, type Span } from '@opentelemetry/api';

/** Throws, wherever it is called. */
export const fail = (what: string) => () => {
  throw new Error(what);
};

/** A span of somebody's own making, whose writes may fail. */
export function foreignSpan(overrides: Partial<Span & { kind: SpanKind }> = {}): Span & { kind: SpanKind } {
  const span: Span & { kind: SpanKind } = {
    kind: SpanKind.INTERNAL,
    spanContext: () => ({
      traceId: '0af7651916cd43dd8448eb211c80319c',
      spanId: 'b7ad6b7169203331',
      traceFlags: TraceFlags.SAMPLED,
    }),
    setAttribute: () => span,
    setAttributes: () => span,
    addEvent: () => span,
    addLink: () => span,
    addLinks: () => span,
    setStatus: () => span,
    updateName: () => span,
    end: () => undefined,
    isRecording: () => true,
    recordException: () => undefined,
    ...overrides,
  };
  return span;
}
