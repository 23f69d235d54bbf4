import type { Context as OtelContext } from '@opentelemetry/api';
import { carriesOut, distinctEnding } from '../tree/ending';
import {
  endError,
  markAutomatic,
  reasonOf,
  type CanceledError,
  type DeadlineExceededError,
} from '../plumbing/errors';
import { guarded } from './guard';
import { noteCut } from './own-errors';
import { runtime } from '../plumbing/runtime';
import { errorIn, nodeOf } from '../tree/carried';
import { checkContext } from '../plumbing/arguments';

/**
 * Whether a call or query that the program did not put under a context itself may be ended with the one it was made
 * under. Not where the kill switch is on, and not where an error of ours could end a process that would have lived:
 * there it runs on, and is counted as the orphan that it is.
 *
 * @example
 * ```ts
 * import { cancelsAutomatically, installGuard, setEnforcement } from '@curfew/context/spi';
 * const undo = installGuard();
 * cancelsAutomatically(); // => true
 * const restore = setEnforcement(false);
 * cancelsAutomatically(); // => false
 * restore();
 * undo();
 * ```
 */
export function cancelsAutomatically(): boolean {
  return carriesOut() && guarded();
}

/**
 * The error that an automatic call fails with, because its context ended: one for each call, like the context's own,
 * which is its cause, and marked. The context's own error is everybody's: a guard that took it could take what the
 * program itself threw.
 *
 * @param cause What to give as the cause in place of the context's error.
 * @throws TypeError if `ctx` is no Context.
 * @example
 * ```ts
 * import { background, isCanceled, withCancel } from '@curfew/context';
 * import { automaticError, isAutomatic } from '@curfew/context/spi';
 * const [ctx, cancel] = withCancel(background());
 * cancel('why');
 * const error = automaticError(ctx);
 * [isCanceled(error), error.cause === ctx.err(), isAutomatic(error), isAutomatic(ctx.err())]; // => [true, true, true, false]
 * ```
 */
export function automaticError(ctx: OtelContext, cause?: unknown): CanceledError | DeadlineExceededError {
  checkContext(ctx, 'ctx');
  const error = errorIn(ctx);
  const node = nodeOf(ctx);
  if (node !== undefined) noteCut(node);
  return markAutomatic(endError(reasonOf(error) ?? 'canceled', { cause: cause ?? error }));
}

/** How many calls are refused for one end, whichever of the contexts that it reached they were made under. */
const MAX_REFUSALS = 16;

/**
 * Whether an automatic call under a context that has ended is still to be refused. A few are, since most callers stop
 * at the first; one that tries again for ever is let through, or it would turn without ever reaching the network.
 * Whoever refuses does so in a later turn of the loop: a refusal in a microtask starves the process in such a loop.
 *
 * @returns `false` too where the context never ends.
 * @example
 * ```ts
 * import { background, withCancel } from '@curfew/context';
 * import { takeRefusal } from '@curfew/context/spi';
 * const [ctx, cancel] = withCancel(background());
 * cancel('why');
 * let refused = 0;
 * while (takeRefusal(ctx)) refused++;
 * refused; // => 16
 * ```
 */
export function takeRefusal(ctx: OtelContext): boolean {
  const node = nodeOf(ctx);
  if (node?.ending === undefined) return false;
  const ending = distinctEnding(node);
  const { refusals } = runtime;
  const taken = refusals.get(ending) ?? 0;
  if (taken >= MAX_REFUSALS) return false;
  refusals.set(ending, taken + 1);
  return true;
}
