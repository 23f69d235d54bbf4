import { beginShutdown } from '@curfew/http';
import type { Telemetry } from '@curfew/telemetry';
import type { Transport } from './exporters/otlp-transport';
import type { PrometheusServer } from './exporters/prometheus-server';

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

interface Provider {
  forceFlush(options: { readonly timeoutMillis: number }): Promise<void>;
  shutdown(): Promise<void>;
}

export interface HandleParts {
  readonly telemetry: Telemetry;
  /** That of traces and that of metrics. */
  readonly providers: readonly Provider[];
  /** What they export by, where it has to be waited for. */
  readonly transports: readonly Transport[];
  readonly server: PrometheusServer | undefined;
  /** Milliseconds for a flush. */
  readonly limit: number;
}

export function createHandle({ telemetry, providers, transports, server, limit }: HandleParts): Handle {
  let stopped: Promise<void> | undefined;

  async function send(): Promise<void> {
    const bound = { timeoutMillis: limit };
    await Promise.allSettled(providers.map((provider) => provider.forceFlush(bound)));
    await Promise.all(transports.map((transport) => transport.settled()));
  }

  async function stop(): Promise<void> {
    await within(limit, () => Promise.allSettled(providers.map((provider) => provider.shutdown())));
    telemetry.uninstall();
    await server?.close();
  }

  return {
    telemetry,
    prometheus: server?.url ?? Promise.resolve(undefined),
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
