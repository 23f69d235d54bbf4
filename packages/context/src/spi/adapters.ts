import type { Context as OtelContext } from '@opentelemetry/api';
import { cancelNode, carriesOut, expireIfDue, retireNode } from '../tree/ending';
import { checkChoice, checkContext, checkDuration, checkOptions, wrongType } from '../plumbing/arguments';
import type { Clock } from '../plumbing/clock';
import type { Reason } from '../plumbing/errors';
import { eventOf, type AdapterEvent, type Hooks } from '../plumbing/hooks';
import { NODE_KEY } from '../plumbing/keys';
import { runtime } from '../plumbing/runtime';
import type { Cancel, CancelContext, DeriveOptions, OperationOptions } from '../plumbing/types';
import { begin } from '../tree/operation';
import type { Ending, Operation, Origin } from '../plumbing/protocol';
import { cancelFunction, deriveUntil } from '../verbs/derive';
import { carriedBy, endOf, nodeOf } from '../tree/carried';

// What whoever connects Curfew to a protocol, a framework or a driver works with. It knows contexts, and how they ended;
// the fields of a node are none of its business.

// The verbs that adapters call, from here as well as from the index: that one brings those that only programs call, and
// whoever imports `@curfew/node/register` would load them at every start.
export { afterFunc, onEnd } from '../verbs/on-end';
export { from, withoutCancel, withValue } from '../verbs/roots';
export { withCancel } from '../verbs/derive';

export { automaticError, cancelsAutomatically, takeRefusal } from '../guard/automatic';
export { guarded, installGuard } from '../guard/guard';
export { isAutomatic, noteCut } from '../guard/own-errors';
export {
  checkChoice,
  checkFunction,
  checkLimit,
  checkNumber,
  checkOptions,
  wrongType,
  type NumberRange,
} from '../plumbing/arguments';
export { MAX_DELAY } from '../plumbing/clock';
export {
  CanceledError,
  DeadlineExceededError,
  isDeadlineExceeded,
  markAutomatic,
  reasonOf,
} from '../plumbing/errors';
export { globalSlot } from '../plumbing/global-slot';
export type { AdapterEvent, Hooks, RefusedCall } from '../plumbing/hooks';
export { SUPPRESS_TRACING_KEY } from '../plumbing/keys';
export { patchMethod, type Patch } from '../plumbing/patch';
export { currentOperation } from '../plumbing/current-operation';
export type { Ending, Operation, Origin, Outcome } from '../plumbing/protocol';
export { detach } from '../verbs/roots';

/** How an adapter ends a context. */
export interface EndOptions {
  /** Who ended it: one of the origins that everybody knows, or an adapter's own, in snake case. */
  readonly origin: Origin;
  /** `canceled` unless given. */
  readonly reason?: Reason;
  /** What `cause()` returns: kept by identity, whatever it is. */
  readonly cause?: unknown;
  /**
   * `true` where Curfew adds this end and the program did not ask for it, such as that of a request whose client hung
   * up: in observe mode it is told and not carried out, and the context retires.
   */
  readonly automatic?: boolean;
}

/**
 * Ends the context that `ctx` carries, on behalf of the world outside: a client that hung up, a shutdown. Does
 * nothing on one that never ends or has ended. The clock comes first: if the deadline has passed, that is why.
 *
 * @throws TypeError if `ctx` is no Context, there is no origin, or the reason is none of the two.
 * @example
 * ```ts
 * import { background, withCancel } from '@curfew/context';
 * import { end, nodeOf } from '@curfew/context/spi';
 * const [request] = withCancel(background());
 * end(request, { origin: 'client_disconnect', cause: new Error('socket closed') });
 * request.err()?.message; // => 'context canceled'
 * nodeOf(request)?.ending?.origin; // => 'client_disconnect'
 * ```
 */
export function end(ctx: OtelContext, options: EndOptions): void {
  checkContext(ctx, 'ctx');
  checkOptions(options ?? null, 'options');
  const { origin, reason = 'canceled', cause, automatic } = options;
  if (typeof origin !== 'string') throw wrongType('options.origin', 'an origin such as shutdown', origin);
  checkChoice(reason, 'options.reason', ['canceled', 'deadline_exceeded']);
  const node = nodeOf(ctx);
  if (node !== undefined) cancelNode(node, reason, origin, cause, automatic === true);
}

/**
 * As `withTimeout`, for a limit that Curfew adds and the program did not set: the budget of a caller, a server's own
 * limit. In observe mode it limits nothing and is shown to nobody (`deadline()`, `remaining()`), and a deadline of the
 * program's that is later counts; once it passes, that is told to `cancellationObserved`.
 *
 * @param ms Milliseconds, up to `Infinity` for none.
 * @throws TypeError if the parent is no Context or `ms` no number; RangeError if `ms` is NaN.
 * @example
 * ```ts
 * import { background, withTimeout } from '@curfew/context';
 * import { setEnforcement, withLimit } from '@curfew/context/spi';
 * const restore = setEnforcement(false);
 * const [request] = withLimit(background(), 50);
 * const [ctx, cancel] = withTimeout(request, 300);
 * [request.remaining(), ctx.remaining() > 50]; // => [Infinity, true]
 * cancel();
 * restore();
 * ```
 */
export function withLimit(parent: OtelContext, ms: number, options?: DeriveOptions): [CancelContext, Cancel] {
  checkDuration(ms, 'ms');
  const node = deriveUntil(parent, ms, undefined, options, carriesOut() ? 'automatic' : 'observed');
  return [node, cancelFunction(node)];
}

/**
 * Ends a request's context as completed, because its response finished: its signal never aborts, `err()` stays
 * undefined, its deadline is disarmed, and live children go on as roots without the deadline they inherited. Callbacks
 * are dropped, but for those of `cleanup`, which are called. On a context that has ended it does nothing.
 *
 * @throws TypeError if `ctx` is no Context.
 * @example
 * ```ts
 * import { background, withTimeout } from '@curfew/context';
 * import { retire } from '@curfew/context/spi';
 * const [request] = withTimeout(background(), 5_000);
 * retire(request);
 * [request.err(), request.signal.aborted, request.remaining()]; // => [undefined, false, Infinity]
 * ```
 */
export function retire(ctx: OtelContext): void {
  checkContext(ctx, 'ctx');
  const node = nodeOf(ctx);
  if (node === undefined || node.ending !== undefined) return;
  retireNode(node, expireIfDue(node));
}

/**
 * Starts an operation under a context; `undefined` where the context never ends. Whoever starts one settles it, once
 * the work has really stopped: one that is never settled counts as an orphan for as long as anybody holds it.
 *
 * @throws TypeError if `ctx` is no Context or the options are no object.
 * @example
 * ```ts
 * import { background, withCancel } from '@curfew/context';
 * import { beginOperation } from '@curfew/context/spi';
 * const [ctx, cancel] = withCancel(background());
 * const operation = beginOperation(ctx, { name: 'SELECT', kind: 'client' });
 * operation?.settled; // => false
 * operation?.settle();
 * operation?.settled; // => true
 * cancel();
 * beginOperation(background()); // => undefined
 * ```
 */
export function beginOperation(ctx: OtelContext, options?: OperationOptions): Operation | undefined {
  checkContext(ctx, 'ctx');
  checkOptions(options, 'options');
  const node = endOf(ctx);
  return node === undefined ? undefined : begin(node, options);
}

/**
 * How a context ended; `undefined` while it lives, and for one that never ends. The clock is not asked: a deadline that
 * nobody has noticed has not ended anything yet. Never throws on a context.
 *
 * @example
 * ```ts
 * import { background, withCancel } from '@curfew/context';
 * import { endingOf } from '@curfew/context/spi';
 * const [ctx, cancel] = withCancel(background());
 * endingOf(ctx); // => undefined
 * cancel(new Error('why'));
 * [endingOf(ctx)?.reason, endingOf(ctx)?.origin]; // => ['canceled', 'caller']
 * ```
 */
export function endingOf(ctx: OtelContext): Ending | undefined {
  return nodeOf(ctx)?.ending;
}

/**
 * Whether a context can end, or has: one that cannot needs no listener. Never throws on a context.
 *
 * @example
 * ```ts
 * import { background, withCancel } from '@curfew/context';
 * import { canEnd } from '@curfew/context/spi';
 * [canEnd(background()), canEnd(withCancel(background())[0])]; // => [false, true]
 * ```
 */
export function canEnd(ctx: OtelContext): boolean {
  return carriedBy(ctx) !== undefined;
}

/**
 * Whether two contexts end as one, whatever values each of them carries. Never throws on contexts.
 *
 * @example
 * ```ts
 * import { background, withCancel, withValue } from '@curfew/context';
 * import { endsWith } from '@curfew/context/spi';
 * const [ctx] = withCancel(background());
 * [endsWith(withValue(ctx, Symbol('key'), 1), ctx), endsWith(background(), ctx)]; // => [true, false]
 * ```
 */
export function endsWith(ctx: OtelContext, other: OtelContext): boolean {
  return carriedBy(ctx) === carriedBy(other);
}

/**
 * `ctx` with the cancellation and the deadline of `other`, unless it can end already: its values and its span stay.
 * For whoever finds that a context was lost on the way. Never throws on contexts.
 *
 * @example
 * ```ts
 * import { ROOT_CONTEXT } from '@opentelemetry/api';
 * import { background, withCancel } from '@curfew/context';
 * import { endingWith, endsWith } from '@curfew/context/spi';
 * const [request] = withCancel(background());
 * endsWith(endingWith(ROOT_CONTEXT, request), request); // => true
 * ```
 */
export function endingWith(ctx: OtelContext, other: OtelContext): OtelContext {
  return canEnd(ctx) ? ctx : ctx.setValue(NODE_KEY, carriedBy(other));
}

/**
 * Whether what Curfew adds is carried out: `false` in observe mode. Adapters ask it before they answer, refuse or write
 * anything by themselves.
 *
 * @example
 * ```ts
 * import { isEnforced, setEnforcement } from '@curfew/context/spi';
 * const restore = setEnforcement(false);
 * isEnforced(); // => false
 * restore();
 * isEnforced(); // => true
 * ```
 */
export function isEnforced(): boolean {
  return carriesOut();
}

/**
 * What the core tells, and whether anybody listens: a refused call is told by whoever refuses it. Ask each time: the functions come and go with their listeners.
 *
 * @example
 * ```ts
 * import { hooks, subscribe } from '@curfew/context/spi';
 * hooks.callRefused?.({ source: 'http.client' }); // nobody listens: nothing is made, nothing is called
 * const refused: string[] = [];
 * const stop = subscribe({ callRefused: ({ source }) => void refused.push(source) });
 * hooks.callRefused?.({ source: 'http.client' });
 * refused; // => ['http.client']
 * stop();
 * ```
 */
export const hooks: Readonly<Hooks> = runtime.board.hooks;

/**
 * An event that adapters tell: made on first sight, and the same one for whoever names it, in every installed copy. The
 * name is the adapter's choice, as `backend.cancel`; the shape of what is told is an ABI: members are added, never
 * changed. Whoever listens knows both, and imports nothing of the adapter's.
 *
 * @throws TypeError if the name is no string or empty.
 * @example
 * ```ts
 * import { adapterEvent } from '@curfew/context/spi';
 * const nacked = adapterEvent<{ queue: string }>('message.nacked');
 * nacked.tell?.({ queue: 'orders' }); // nobody listens: nothing is made, nothing is called
 * const queues: string[] = [];
 * const stop = adapterEvent<{ queue: string }>('message.nacked').listen(({ queue }) => void queues.push(queue));
 * nacked.tell?.({ queue: 'orders' });
 * stop();
 * queues; // => ['orders']
 * ```
 */
export function adapterEvent<Event extends object>(name: string): AdapterEvent<Event> {
  if (typeof name !== 'string' || name === '') throw wrongType('name', 'a name such as backend.cancel', name);
  return eventOf<Event>(runtime.board, name);
}

/**
 * The clock in force: what deadlines are measured by. `now` is monotonic, `wallNow` is for Dates; both in ms.
 *
 * @example
 * ```ts
 * import { background, withTimeout } from '@curfew/context';
 * import { clock, nodeOf } from '@curfew/context/spi';
 * const from = clock().now();
 * const [ctx, cancel] = withTimeout(background(), 1_000);
 * (nodeOf(ctx)?.due?.at ?? 0) - from >= 1_000; // => true
 * cancel();
 * ```
 */
export function clock(): Clock {
  return runtime.clock;
}
