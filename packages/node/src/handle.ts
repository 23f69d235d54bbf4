import { beginShutdown } from '@curfew/http';
import type { Telemetry } from '@curfew/telemetry';
import type { Metrics } from './exporters/metrics';
import type { Traces } from './exporters/traces';

/** What `start` sets up. */
export interface Handle {
  /** The figures of this process; `undefined` where `OTEL_SDK_DISABLED` is set. */
  readonly telemetry: Telemetry | undefined;
  /**
   * The address of `/metrics`, once it listens; `undefined` where it is not asked for or its port is taken.
   *
   * @example
   * ```ts
   * const { prometheus } = start({ prometheus: { port: 0 } });
   * await prometheus; // => 'http://127.0.0.1:41873/metrics'
   * ```
   */
  readonly prometheus: Promise<string | undefined>;
  /** Sends what has been recorded. Resolves after `CURFEW_SHUTDOWN_TIMEOUT` at the latest, and never rejects. */
  readonly flush: () => Promise<void>;
  /**
   * Flushes, closes `/metrics` and stops recording, once. Resolves after `CURFEW_SHUTDOWN_TIMEOUT` at the latest,
   * and never rejects. Requests still running keep their contexts and are still cancelled; those whose connections this
   * side closes from now on end with the origin `shutdown`.
   */
  readonly shutdown: () => Promise<void>;
}

export interface HandleParts {
  readonly traces: Traces;
  readonly metrics: Metrics;
  readonly telemetry: Telemetry;
  /** Milliseconds for a flush. */
  readonly limit: number;
}

export function createHandle({ traces, metrics, telemetry, limit }: HandleParts): Handle {
  const transports = [...traces.transports, ...metrics.transports];
  let stopped: Promise<void> | undefined;

  async function send(): Promise<void> {
    const bound = { timeoutMillis: limit };
    await Promise.allSettled([traces.provider.forceFlush(bound), metrics.provider.forceFlush(bound)]);
    await Promise.all(transports.map((transport) => transport.settled()));
  }

  async function stop(): Promise<void> {
    await within(limit, () => Promise.allSettled([traces.provider.shutdown(), metrics.provider.shutdown()]));
    telemetry.uninstall();
    await metrics.server?.close();
  }

  return {
    telemetry,
    prometheus: metrics.server?.url ?? Promise.resolve(undefined),
    flush: () => stopped ?? within(limit, send),
    shutdown() {
      beginShutdown();
      return (stopped ??= stop());
    },
  };
}

/** Resolves when the work has settled, or at the limit. */
function within(limit: number, work: () => Promise<unknown>): Promise<void> {
  return new Promise((resolve) => {
    // This one timer keeps the process, for as long as the flush takes: nothing else of an export does, and a
    // process that awaits its shutdown must not end before it.
    const timer = setTimeout(resolve, limit);
    const done = () => {
      clearTimeout(timer);
      resolve();
    };
    work().then(done, done);
  });
}
