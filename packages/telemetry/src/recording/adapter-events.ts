import { adapterEvent } from '@curfew/context/spi';
import type { Context as OtelContext } from '@opentelemetry/api';

/**
 * What adapters tell that there are figures for: by name and by shape, as every adapter may tell it that anybody writes.
 * Nothing of it is trusted: eight words that are not known keep their names, and those after are `_OTHER`, and counted.
 */
export interface AdapterEvents {
  /** An inbound request's deadline was read; `remaining` in ms. */
  'deadline.received': { source: string; outcome: string; remaining?: number; ctx?: OtelContext };
  /** A cancellation came from another process; `duration` in ms. */
  'cancellation.arrived': { boundary: string; reason: string; duration: number; ctx?: OtelContext };
  /** Work was stopped in a server, or was to be; `duration` in ms. */
  'backend.cancel': { system: string; outcome: string; duration: number; ctx?: OtelContext };
}

export type AdapterListeners = {
  readonly [Name in keyof AdapterEvents]: (event: AdapterEvents[Name]) => void;
};

/** Listens to all of them; returns how to stop. */
export function listenToAdapters(listeners: AdapterListeners): () => void {
  const stops = Object.entries(listeners).map(([name, listener]) =>
    adapterEvent<object>(name).listen(listener as (event: object) => void),
  );
  return () => stops.forEach((stop) => stop());
}
