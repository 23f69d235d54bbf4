/** Where the API keeps what is registered. There is no public way to ask, and asking by trying logs an error. */
const SLOT = Symbol.for('opentelemetry.js.api.1');

/** Whether this process has a logger, a context manager, or a provider of OpenTelemetry's already. */
export function isRegistered(api: 'diag' | 'context' | 'trace' | 'metrics' | 'propagation'): boolean {
  const registered = (globalThis as { [SLOT]?: Readonly<Record<string, unknown>> })[SLOT];
  return registered?.[api] !== undefined;
}
