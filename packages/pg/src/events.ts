import type { Context } from '@opentelemetry/api';
import { adapterEvent } from '@curfew/context/spi';

/** An attempt to stop work in a server. Drivers of other databases tell the same, with a system of their own. */
export interface BackendCancel {
  /** As `db.system.name`: `postgresql`. */
  readonly system: string;
  /**
   * `canceled`: the server stopped the query; `completed`: the query finished first;
   * `failed`: the cancel could not be sent; `timed_out`: nothing settled within the grace.
   */
  readonly outcome: 'canceled' | 'completed' | 'failed' | 'timed_out';
  /** Milliseconds from the end of the context until the query settled. */
  readonly duration: number;
  /** The context that ended. */
  readonly ctx: Context;
}

/** Told once for each query that was to be stopped. */
export const backendCancel = adapterEvent<BackendCancel>('backend.cancel');
