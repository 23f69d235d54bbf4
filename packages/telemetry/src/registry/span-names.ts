/** Attributes of spans, beside those of the metrics. */
export const SPAN_ATTRIBUTES = {
  /** On every span that Curfew itself makes, so that a Collector can keep them out of span metrics. */
  own: 'curfew.own',
  fanout: 'curfew.cancel.fanout',
  /** Seconds. */
  propagation: 'curfew.cancel.propagation.duration',
  operationName: 'curfew.operation.name',
  /** On the span of an orphan that never settled, but was garbage-collected: it ends where that was noticed. */
  collected: 'curfew.operation.collected',
} as const;

/** Names of spans, and of the events of spans and of log records. */
export const SPANS = { cancel: 'curfew.cancel', orphan: 'curfew.orphan' } as const;
export const EVENTS = {
  canceled: 'curfew.context.canceled',
  deadline_exceeded: 'curfew.context.deadline_exceeded',
  orphan: 'curfew.orphan.running',
  lingering: 'curfew.context.lingering',
  lost: 'curfew.context.lost',
  brokenChain: 'curfew.chain.broken',
} as const;

/** Attributes of warnings, beside those of the metrics. */
export const WARNING_ATTRIBUTES = {
  /** Seconds. */
  age: 'curfew.age',
  operationName: SPAN_ATTRIBUTES.operationName,
  /** Where the context was made, or the chain broke; OpenTelemetry's own name for a stack. */
  stack: 'code.stacktrace',
} as const;
