import {
  type Context,
  type TextMapGetter,
  type TextMapPropagator,
  type TextMapSetter,
} from '@opentelemetry/api';
import { from } from '@curfew/context';
import { SUPPRESS_TRACING_KEY } from '@curfew/context/spi';
import { deadlineReader, putReceived, type ReadDeadline, type ReceiveOptions } from './received';
import { formatTimeoutMs, TIMEOUT_HEADER } from './timeout';

/**
 * How an adapter makes a request's context out of `extract`. It is given what the other propagators extracted so
 * far, the carrier as `extract` got it, and how to read the deadline. It returns the context to go on with, or
 * `undefined` for a carrier that is not one of its own. It must not throw.
 */
export type Plant = (
  ctx: Context,
  carrier: unknown,
  read: ReadDeadline,
  getter: TextMapGetter,
) => Context | undefined;

/** Options of the DeadlinePropagator. */
export interface DeadlinePropagatorOptions extends ReceiveOptions {
  /** `instrumentServer().plant` of `@curfew/http`: makes the context of an inbound request. */
  readonly plant?: Plant;
  /**
   * `true` makes `inject` write the remaining budget as `x-request-timeout-ms`. It is off unless asked for, since
   * `inject` does not know which host the carrier goes to; `@curfew/http` does, and writes the header itself.
   */
  readonly inject?: boolean;
}

/**
 * Brings deadlines in from the wire, and out to it where asked: an OpenTelemetry propagator to stand after the
 * W3C ones in a composite. `extract` either hands the carrier to an adapter's `plant`, or puts the deadline into
 * the context as a value, for `withReceivedDeadline`. Nothing that a peer sends makes it throw; everything is
 * counted through `hooks.deadlineReceived`.
 *
 * @throws RangeError from the constructor if `maxTimeout` is NaN or negative. The methods never throw.
 * @example
 * ```ts
 * import { propagation } from '@opentelemetry/api';
 * import { DeadlinePropagator } from '@curfew/propagation';
 * propagation.setGlobalPropagator(new DeadlinePropagator({ maxTimeout: 60_000 }));
 * ```
 */
export class DeadlinePropagator implements TextMapPropagator {
  private readonly read: ReadDeadline;
  private readonly plant: Plant | undefined;
  private readonly writes: boolean;

  constructor(options: DeadlinePropagatorOptions = {}) {
    this.read = deadlineReader(options);
    this.plant = options.plant;
    this.writes = options.inject === true;
  }

  /** Writes the remaining budget where the `inject` option asks for it and the context has a deadline. */
  inject(ctx: Context, carrier: unknown, setter: TextMapSetter): void {
    if (!this.writes || ctx.getValue(SUPPRESS_TRACING_KEY) === true) return;
    const budget = formatTimeoutMs(from(ctx).remaining());
    if (budget !== undefined) setter.set(carrier, TIMEOUT_HEADER, budget);
  }

  /** Returns a context that carries what the carrier brought; a malformed deadline is none, and counted. */
  extract(ctx: Context, carrier: unknown, getter: TextMapGetter): Context {
    const planted = this.plant?.(ctx, carrier, this.read, getter);
    return planted ?? putReceived(ctx, this.read(carrier, getter, ctx));
  }

  /** The one header that `inject` may write. */
  fields(): string[] {
    return [TIMEOUT_HEADER];
  }
}
