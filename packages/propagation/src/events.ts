import { createContextKey, type Context } from '@opentelemetry/api';
import { adapterEvent } from '@curfew/context/spi';

// What every adapter has to tell that carries calls between processes, whatever the protocol. Telemetry listens by these
// names and shapes.

/** What an inbound request brought. `source` is the carrier: `x-request-timeout-ms`, `grpc-timeout`… */
export interface ReceivedDeadline {
  readonly source: string;
  readonly outcome: 'ok' | 'none' | 'malformed' | 'too_large' | 'clock_skew';
  /** Milliseconds left on arrival, after the cap; `undefined` where none was understood. */
  readonly remaining: number | undefined;
  /** What the request brought so far: its trace. */
  readonly ctx?: Context | undefined;
}

/** A cancellation that came from another process, and how long the news took. */
export interface ArrivedCancellation {
  /** What it crossed: `http`, `grpc`, or an adapter's own word in snake case. */
  readonly boundary: string;
  readonly reason: 'canceled' | 'deadline_exceeded';
  /** Milliseconds from the cancel there until it was known here. */
  readonly duration: number;
  /** The context that it ended. */
  readonly ctx?: Context | undefined;
}

/** Told for each inbound request whose carrier was read. */
export const deadlineReceived = adapterEvent<ReceivedDeadline>('deadline.received');

/** Told by adapters whose protocol lets them measure it. */
export const cancellationArrived = adapterEvent<ArrivedCancellation>('cancellation.arrived');

/**
 * The key under which an adapter keeps, in a request's context, what it knows of the response: telemetry asks that
 * whether the head was sent, since whatever status code is recorded of one that was not is made up.
 */
export const RESPONSE_KEY = createContextKey('@curfew/propagation.response.v1');

/** What stands under `RESPONSE_KEY`: the response as long as it lives, and then whether its head had been sent. */
export interface ServedHead {
  readonly response?: { readonly headersSent: boolean } | undefined;
  readonly headersSent: boolean;
}

/** What the cause of a client's disconnect tells telemetry, which finds it by this member: whether the response had started. */
export interface DisconnectCause extends Error {
  readonly responseStarted: boolean;
}
