import { createContextKey } from '@opentelemetry/api';

/**
 * The one key under which a context carries its node. `createContextKey` is `Symbol.for`, so every copy of
 * this package and of the API sees the same key.
 */
export const NODE_KEY = createContextKey('@curfew/context.node.v1');

/** The key of the current operation. */
export const OPERATION_KEY = createContextKey('@curfew/context.operation.v1');

/** The key of the bottom layer that holds a context of somebody else's class. */
export const FOREIGN = Symbol.for('@curfew/context.foreign.v1');

/** Where a context of ours, of whatever copy, has its values. What a stranger's class calls `layers` is its own affair. */
export const LAYERS = Symbol.for('@curfew/context.layers.v1');

/** The key under which OpenTelemetry marks the work of exporters, which belongs to nobody's request and in no trace. */
export const SUPPRESS_TRACING_KEY = createContextKey('OpenTelemetry SDK Context Key SUPPRESS_TRACING');

/** On the error of an automatic cancellation, for the guard. Registered, so that every installed copy sees it. */
export const AUTOMATIC = Symbol.for('@curfew/context.automatic.v1');
