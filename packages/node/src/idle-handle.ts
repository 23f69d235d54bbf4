import type { Handle } from './handle';

/** A handle on nothing, for `OTEL_SDK_DISABLED`. */
export function idleHandle(): Handle {
  const nothing = () => Promise.resolve();
  return { telemetry: undefined, prometheus: Promise.resolve(undefined), flush: nothing, shutdown: nothing };
}
