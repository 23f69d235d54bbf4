import type { IncomingMessage } from 'node:http';
import { syncBuiltinESMExports } from 'node:module';
import { instrumentFetch, instrumentHttpRequest, instrumentServer, setAllowedHosts } from '@curfew/http';
import type { Plant } from '@curfew/propagation';
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http';
import { UndiciInstrumentation } from '@opentelemetry/instrumentation-undici';
import { warn } from './logging';
import type { Configuration } from './settings/options';
import { instrumentPgWhenLoaded } from './pg-when-loaded';
import type { PrometheusServer } from './exporters/prometheus-server';

export interface Instrumented {
  /** Makes the context of an inbound request, for the propagator. */
  readonly plant: Plant;
  /** Instruments what the application will load. */
  readonly instrumentModules: () => void;
}

/** Has inbound and outbound HTTP, fetch and pg seen and cancelled, in CommonJS and ES modules, without a loader. */
export function instrument(configuration: Configuration, server: PrometheusServer | undefined): Instrumented {
  const { outboundHosts, requestTimeout } = configuration;
  const isScrape = (request: IncomingMessage) => server?.owns(request) === true;
  const { plant } = instrumentServer({
    ignore: isScrape,
    ...(requestTimeout === undefined ? {} : { timeout: requestTimeout }),
  });
  setAllowedHosts(outboundHosts);
  return {
    plant,
    instrumentModules() {
      // Ours first, and so within the others: a call that is cut off is then seen by the span around it.
      coverIfPossible('http.request', instrumentHttpRequest);
      // Without it, `--no-experimental-fetch` say, there is none to be put in its place.
      if (typeof globalThis.fetch === 'function') coverIfPossible('fetch', instrumentFetch);
      new HttpInstrumentation({ ignoreIncomingRequestHook: isScrape });
      new UndiciInstrumentation();
      // eslint-disable-next-line @typescript-eslint/no-require-imports -- it is patched in the course of a `require`
      for (const name of ['node:http', 'node:https']) require(name);
      coverIfPossible('pg', instrumentPgWhenLoaded);
      // The named imports of ES modules are copies, which follow when told.
      syncBuiltinESMExports();
    },
  };
}

/** What is frozen stays as it is, and is no reason to do without the rest. */
function coverIfPossible(name: string, instrumentIt: () => unknown): void {
  try {
    instrumentIt();
  } catch (error) {
    warn(`${name} is not covered: ${(error as Error).message}`);
  }
}
