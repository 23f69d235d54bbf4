import { isMainThread } from 'node:worker_threads';
import { setEnforcement, setGuard } from '@curfew/context/spi';
import { install } from '@curfew/telemetry';
import { diag, metrics as metricsApi, propagation, trace } from '@opentelemetry/api';
import { createHandle, type Handle } from './handle';
import { instrument } from './instrument';
import { warn } from './logging';
import { createMetrics } from './exporters/metrics';
import type { Configuration } from './settings/options';
import { createPropagator } from './propagator';
import { isRegistered } from './otel-globals';
import { createResource } from './exporters/resource';
import { createTraces } from './exporters/traces';

/** Puts the parts together and registers them with OpenTelemetry. */
export function setUp(configuration: Configuration): Handle {
  if (!configuration.enforce) {
    setEnforcement(false);
    diag.info(
      'curfew: observing only, nothing is cancelled but by the application itself (CURFEW_ENFORCE=0)',
    );
  }
  setGuard(configuration.guard);
  const telemetry = install(configuration);
  const resource = createResource(configuration);
  const metrics = createMetrics({ configuration, resource, telemetry, mayServe: isMainThread });
  const traces = createTraces(configuration, resource, telemetry);
  const { plant, instrumentModules } = instrument(configuration, metrics.server);
  const propagator = createPropagator(configuration, plant);

  registerUnlessTaken(
    'metrics',
    () => metricsApi.setGlobalMeterProvider(metrics.provider),
    'telemetry.producer() to its readers',
  );
  registerUnlessTaken(
    'trace',
    () => trace.setGlobalTracerProvider(traces.provider),
    'telemetry.spanProcessor to its processors',
  );
  registerUnlessTaken(
    'propagation',
    () => propagation.setGlobalPropagator(propagator),
    "@curfew/propagation's DeadlinePropagator",
  );
  // Last: an instrumentation takes its meter when it is made.
  instrumentModules();
  return createHandle({
    telemetry,
    providers: [traces.provider, metrics.provider],
    transports: [...traces.transports, ...metrics.transports],
    server: metrics.server,
    limit: configuration.shutdownTimeout,
  });
}

/** Where another SDK was first, its set-up stays, and one line tells what is missing there. */
function registerUnlessTaken(
  api: 'trace' | 'metrics' | 'propagation',
  register: () => boolean,
  remedy: string,
): void {
  if (isRegistered(api)) warn(`another OpenTelemetry SDK in this process handles ${api}; add ${remedy}`);
  else register();
}
