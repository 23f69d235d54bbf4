import {
  type Context,
  type TextMapGetter,
  type TextMapPropagator,
  type TextMapSetter,
} from '@opentelemetry/api';
import { checkFunction, from, SUPPRESS_TRACING_KEY, wrongType } from '@curfew/context/spi';
import {
  headerReader,
  putReceived,
  tellReceived,
  type InboundDeadline,
  type ReceiveOptions,
} from './received';
import { formatTimeoutMs, TIMEOUT_HEADER } from './timeout';

/**
 * How an adapter makes a request's context out of `extract`. It is given what the other propagators extracted so far,
 * the carrier as `extract` got it, and the deadline that this brought. It returns the context to go on with, or
 * `undefined` for a carrier that is not one of its own. Where it begins work it tells of the deadline, once, by
 * `tellReceived`. It must not throw.
 */
export type Plant = (ctx: Context, carrier: unknown, inbound: InboundDeadline) => Context | undefined;

/** Options of the DeadlinePropagator. */
export interface DeadlinePropagatorOptions extends ReceiveOptions {
  /**
   * Makes the contexts of inbound requests: `instrumentServer().plant` of `@curfew/http`. Of several, which are asked in
   * turn, the first that knows the carrier makes it.
   */
  readonly plant?: Plant | readonly Plant[];
  /**
   * `true` makes `inject` write the remaining budget as `x-request-timeout-ms`. It is off unless asked for, since
   * `inject` does not know which host the carrier goes to; `@curfew/http` does, and writes the header itself.
   */
  readonly inject?: boolean;
}

/**
 * Brings deadlines in from the wire, and out to it where asked: an OpenTelemetry propagator to stand after the
 * W3C ones in a composite. `extract` either hands the deadline to an adapter's `plant`, or puts the deadline into
 * the context as a value, for `withReceivedDeadline`. Nothing that a peer sends makes it throw; everything is
 * counted through `deadlineReceived`.
 *
 * @throws From the constructor, naming the option: as `deadlineReader`, and TypeError if `plant` is no function or `inject` no
 *   boolean. The methods never throw.
 * @example
 * ```ts
 * import { propagation } from '@opentelemetry/api';
 * import { DeadlinePropagator } from '@curfew/propagation';
 * propagation.setGlobalPropagator(new DeadlinePropagator({ maxTimeout: 60_000 }));
 * ```
 */
export class DeadlinePropagator implements TextMapPropagator {
  private readonly read: (carrier: unknown, getter: TextMapGetter) => InboundDeadline;
  private readonly plants: readonly Plant[];
  private readonly writes: boolean;

  constructor(options: DeadlinePropagatorOptions = {}) {
    this.read = headerReader(options);
    const { plant = [], inject = false } = options;
    this.plants = [plant].flat();
    for (const each of this.plants) checkFunction(each, 'options.plant');
    if (typeof inject !== 'boolean') throw wrongType('options.inject', 'a boolean', inject);
    this.writes = inject;
  }

  /** Writes the remaining budget where the `inject` option asks for it and the context has a deadline. */
  inject(ctx: Context, carrier: unknown, setter: TextMapSetter): void {
    if (!this.writes || ctx.getValue(SUPPRESS_TRACING_KEY) === true) return;
    const budget = formatTimeoutMs(from(ctx).remaining());
    if (budget !== undefined) setter.set(carrier, TIMEOUT_HEADER, budget);
  }

  /** Returns a context that carries what the carrier brought; a malformed deadline is none, and counted. */
  extract(ctx: Context, carrier: unknown, getter: TextMapGetter): Context {
    const inbound = this.read(carrier, getter);
    for (const plant of this.plants) {
      const planted = plant(ctx, carrier, inbound);
      if (planted !== undefined) return planted;
    }
    tellReceived(inbound, ctx);
    return putReceived(ctx, inbound);
  }

  /** The one header that `inject` may write. */
  fields(): string[] {
    return [TIMEOUT_HEADER];
  }
}
