/// <reference lib="esnext.disposable" preserve="true" />
import type { Context as OtelContext } from '@opentelemetry/api';
import type { CanceledError, DeadlineExceededError } from './errors';

/**
 * An OpenTelemetry Context that also carries a deadline and a cancellation, as Go's `context.Context` does.
 * It can be handed to anything that takes an OpenTelemetry Context.
 */
export interface Context extends OtelContext {
  /**
   * A native AbortSignal that aborts when this context ends, made on first read.
   * `undefined` if the context can never end, so that nobody leaves listeners on a signal that never fires.
   */
  readonly signal: AbortSignal | undefined;
  /** Why the context ended, or `undefined` while it has not. Compares the clock first. */
  err(): CanceledError | DeadlineExceededError | undefined;
  /** The cause given to the cancel function, or `err()` where none was given; `undefined` while not ended. */
  cause(): unknown;
  /** The wall-clock time of the deadline that ends this context, or `undefined` without one. */
  deadline(): Date | undefined;
  /** Milliseconds until the deadline: `Infinity` without one, never below 0. */
  remaining(): number;
  /** Throws `err()` if the context has ended. */
  throwIfDone(): void;
  /** The derivation in Go's notation: `context.Background.WithCancel`. */
  toString(): string;
  setValue(key: symbol, value: unknown): Context;
  deleteValue(key: symbol): Context;
}

/** A context that can end, and so always has a signal. */
export interface CancelContext extends Context {
  readonly signal: AbortSignal;
}

/**
 * Ends a context. With a cause it is a cancellation; without one (or through `using`) it is a release,
 * Go's `defer cancel()`: the context ends just the same, but counts as completed unless work is still
 * running under it. Calls after the first do nothing.
 */
export type Cancel = ((cause?: unknown) => void) & Disposable;

/** What every function that derives a cancellable context accepts. */
export interface DeriveOptions {
  /** A name of low cardinality, for metrics and traces: `price`, never `price-4711`. */
  readonly name?: string;
  /** What `cause()` returns if the deadline passes. Dropped where the parent's deadline is earlier, as in Go. */
  readonly cause?: unknown;
  /** `true` lets the deadline's timer keep the process alive. Timers do not, by default. */
  readonly ref?: boolean;
  /** `true` for contexts that are meant to live long (a connection, a worker); they never count as lingering. */
  readonly longLived?: boolean;
}

/** How work under a context is named in telemetry. */
export interface OperationOptions {
  /** A name of low cardinality. */
  readonly name?: string;
  /** The kind of work, one of few: `internal` unless given. */
  readonly kind?: string;
}
