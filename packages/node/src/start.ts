import { globalSlot } from '@curfew/context/spi';
import { context, ROOT_CONTEXT } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { readEnvironment } from './settings/environment';
import type { Handle } from './handle';
import { startLogging, warn } from './logging';
import { configure, type StartOptions } from './settings/options';
import { isRegistered } from './otel-globals';
import type * as SetUp from './set-up';

/** The handle on nothing. */
const IDLE: Handle = {
  telemetry: undefined,
  prometheus: Promise.resolve(undefined),
  flush: () => Promise.resolve(),
  shutdown: () => Promise.resolve(),
};

/** Of the process, so that `--import` and `start`, or two copies of this package, do not set up two SDKs. */
interface Started {
  handle: Handle | undefined;
  /** Whether a second call has been told of. */
  told: boolean;
}

/**
 * Sets Curfew and OpenTelemetry up for this process: traces, metrics with `/metrics`, propagators, the
 * instrumentations of node:http and fetch, and Curfew's own of http, fetch and pg. Call it before the application
 * loads its modules; `node --import @curfew/node/register app.js` does so without a change of the code. Options
 * come before environment variables. A bad environment variable is told in one line and its default used.
 *
 * A second call sets nothing up: it returns the first one's handle, and says so once.
 *
 * @throws TypeError or RangeError naming the option that is wrong.
 * @example
 * ```ts
 * import { start } from '@curfew/node';
 * const curfew = start({ serviceName: 'orders' });
 * process.once('SIGTERM', async () => {
 *   server.close();
 *   await curfew.shutdown();
 *   process.exit(0);
 * });
 * ```
 */
export function start(options: StartOptions = {}): Handle {
  const { settings, warnings } = readEnvironment(process.env);
  const configuration = configure(settings, options);
  const started = globalSlot<Started>('@curfew/node.started', 1, () => ({ handle: undefined, told: false }));
  if (started.handle !== undefined) {
    if (!started.told) warn('started already; this call has no effect and returns what the first one did');
    started.told = true;
    return started.handle;
  }
  startLogging(configuration.logLevel);
  for (const warning of warnings) warn(warning);
  // Whoever calls, nothing of this belongs to the context of a request.
  return (started.handle = context.with(ROOT_CONTEXT, () => {
    if (!isRegistered('context')) {
      context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    }
    // With the SDK disabled, only `active()` still has to work across awaits; nothing of the SDK is even loaded.
    if (configuration.disabled) return IDLE;
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- an import would load it in any case
    return (require('./set-up') as typeof SetUp).setUp(configuration);
  }));
}
