import { context, diag, ROOT_CONTEXT, type Context as OtelContext } from '@opentelemetry/api';
import { OPERATION_KEY } from './keys';
import type { Operation } from './protocol';
import { runtime } from './runtime';

/**
 * The operation that the calling code runs in, if any. Without a ContextManager it is known only as long as the
 * operation's function has not awaited.
 *
 * @example
 * ```ts
 * import { background, run, withCancel } from '@curfew/context';
 * import { currentOperation } from '@curfew/context/spi';
 * const [ctx, cancel] = withCancel(background());
 * run(ctx, { name: 'load' }, () => currentOperation()?.name); // => 'load'
 * currentOperation(); // => undefined
 * cancel();
 * ```
 */
export function currentOperation(): Operation | undefined {
  return (context.active().getValue(OPERATION_KEY) as Operation | undefined) ?? runtime.synchronous;
}

/**
 * Says, once, that without a ContextManager the active context is always the root. It is looked into by the first
 * operation: a manager is registered before the work that relies on it.
 */
function warnWithoutManager(): void {
  runtime.managerKnown = true;
  const probe = ROOT_CONTEXT.setValue(OPERATION_KEY, undefined);
  if (context.with(probe, () => context.active() === probe)) return;
  diag.warn('curfew: no ContextManager is registered, so active() never ends; hand contexts on explicitly');
}

/** Calls `fn` with `ctx` active and `operation` current, which is all there is to go by without a ContextManager. */
export function inside<C extends OtelContext, T>(ctx: C, operation: Operation, fn: (ctx: C) => T): T {
  if (!runtime.managerKnown) warnWithoutManager();
  const outer = runtime.synchronous;
  runtime.synchronous = operation;
  try {
    return context.with(ctx, fn as (ctx: unknown) => T, undefined, ctx);
  } finally {
    runtime.synchronous = outer;
  }
}
