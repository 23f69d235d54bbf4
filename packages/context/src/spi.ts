import type { Context as OtelContext } from '@opentelemetry/api';
import { checkContext, checkDuration, checkFunction, checkOptions, wrongType } from './plumbing/arguments';
import type { Clock } from './plumbing/clock';
import { cancelFunction, deriveUntil } from './verbs/derive';
import { cancelNode, carriesOut, expireIfDue, retireNode } from './tree/ending';
import { addListener, type HookEvents, type Hooks } from './plumbing/hooks';
import { begin } from './tree/operation';
import type { Operation, Origin } from './tree/protocol';
import type { Reason } from './plumbing/errors';
import { nodeOf } from './verbs/roots';
import { runtime } from './plumbing/runtime';
import type { Cancel, CancelContext, DeriveOptions, OperationOptions } from './plumbing/types';

export { automaticError, cancelsAutomatically, takeRefusal } from './guard/automatic';
export { MAX_DELAY, systemClock, type Clock } from './plumbing/clock';
export { markAutomatic } from './plumbing/errors';
export { guarded, installGuard, setGuard } from './guard/guard';
export type {
  BackendCancel,
  ChainBreak,
  CleanupDone,
  GuardedError,
  HookEvents,
  Hooks,
  ObservedCancellation,
  ReceivedDeadline,
  RefusedCall,
} from './plumbing/hooks';
export { NODE_KEY, OPERATION_KEY, RESPONSE_KEY, SUPPRESS_TRACING_KEY } from './plumbing/keys';
export { currentOperation } from './tree/operation';
export { isAutomatic, noteCut } from './guard/own-errors';
export {
  Flag,
  PROTOCOL,
  type Callback,
  type ContextNode,
  type Due,
  type Ending,
  type Layer,
  type Operation,
  type Operations,
  type Origin,
  type Outcome,
  type RootMark,
} from './tree/protocol';
export { nodeOf } from './verbs/roots';

/**
 * What the cause of a `client_disconnect` tells telemetry, by shape: whether the response had started. Where it
 * had not, no status code was ever sent, and the one that stock instrumentation makes up is dropped.
 */
export interface DisconnectCause extends Error {
  readonly responseStarted: boolean;
}

/** How an adapter ends a context. */
export interface EndOptions {
  /** Who ended it. `deadline` and `remote_deadline` make it `deadline_exceeded`, all others `canceled`. */
  readonly origin: Origin;
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
 * @throws TypeError if `ctx` is no Context or there is no origin.
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
  if (typeof (options as EndOptions | undefined)?.origin !== 'string') {
    throw wrongType(
      'options.origin',
      'an origin such as shutdown',
      (options as EndOptions | undefined)?.origin,
    );
  }
  const node = nodeOf(ctx);
  if (node === undefined) return;
  cancelNode(node, reasonFor(options.origin), options.origin, options.cause, options.automatic === true);
}

function reasonFor(origin: Origin): Reason {
  return origin === 'deadline' || origin === 'remote_deadline' ? 'deadline_exceeded' : 'canceled';
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
  const node = nodeOf(ctx);
  return node === undefined ? undefined : begin(node, options);
}

/**
 * What adapters tell, and whether anybody listens. Ask each time: the functions come and go with their listeners.
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
 * Listens to the hooks, beside whoever else does, in this installed copy and in others of the same protocol; returns
 * how to stop. A listener is called in the middle of a cancellation: it must be quick and must not derive or cancel.
 * What it throws is counted by `hookErrors` and goes nowhere else.
 *
 * @throws TypeError if the listener is no object.
 * @example
 * ```ts
 * import { background, withCancel } from '@curfew/context';
 * import { subscribe } from '@curfew/context/spi';
 * const told: unknown[] = [];
 * const stop = subscribe({
 *   contextStarted: (node) => void told.push(node.name),
 *   contextEnded: (node, ending) => void told.push(ending.outcome, ending.fanout),
 * });
 * const [ctx, cancel] = withCancel(background(), { name: 'job' });
 * withCancel(ctx, { name: 'step' });
 * cancel('why');
 * stop();
 * told; // => ['job', 'step', 'canceled', 1, 'canceled', 1]
 * ```
 */
export function subscribe(listener: Partial<HookEvents>): () => void {
  if (typeof listener !== 'object' || listener === null)
    throw wrongType('listener', 'an object of hooks', listener);
  return addListener(runtime.board, listener);
}

/**
 * Exceptions that listeners of the hooks have thrown so far in this process.
 *
 * @example
 * ```ts
 * import { background, withCancel } from '@curfew/context';
 * import { hookErrors, subscribe } from '@curfew/context/spi';
 * const before = hookErrors();
 * const stop = subscribe({
 *   contextStarted() {
 *     throw new Error('a bug in a listener');
 *   },
 * });
 * withCancel(background())[1]();
 * stop();
 * hookErrors() - before; // => 1
 * ```
 */
export function hookErrors(): number {
  return runtime.board.errors;
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

/**
 * Puts another clock in force, for tests; returns how to put the former one back. Deadlines that were set before keep
 * their instant, which another clock may reach sooner or never: change clocks while none is live.
 *
 * @throws TypeError if one of the four methods is missing.
 * @example
 * ```ts
 * import { background, withTimeout } from '@curfew/context';
 * import { systemClock, useClock } from '@curfew/context/spi';
 * let now = 0;
 * const restore = useClock({ ...systemClock, now: () => now });
 * const [ctx] = withTimeout(background(), 1_000);
 * now = 999.5;
 * ctx.remaining(); // => 0.5
 * now = 1_000;
 * ctx.err()?.name; // => 'TimeoutError'
 * restore();
 * ```
 */
export function useClock(replacement: Clock): () => void {
  for (const method of ['now', 'wallNow', 'setTimer', 'clearTimer'] as const) {
    checkFunction((replacement as Clock | undefined)?.[method], `replacement.${method}`);
  }
  const former = runtime.clock;
  swap(replacement);
  return () => swap(former);
}

function swap(replacement: Clock): void {
  const { deadlines } = runtime;
  deadlines?.disarm();
  runtime.clock = replacement;
  deadlines?.rearm();
}

/**
 * Live deadlines, and whether a timer is armed for them. One timer serves them all; it may stay armed for a moment
 * after the last one, unref'd.
 *
 * @example
 * ```ts
 * import { background, withTimeout } from '@curfew/context';
 * import { deadlineStatus } from '@curfew/context/spi';
 * const before = deadlineStatus().live;
 * const [ctx, cancel] = withTimeout(background(), 1_000);
 * withTimeout(ctx, 5_000); // covered by its parent's: none of its own
 * deadlineStatus().live - before; // => 1
 * cancel();
 * deadlineStatus().live - before; // => 0
 * ```
 */
export function deadlineStatus(): { readonly live: number; readonly armed: boolean } {
  return { live: runtime.deadlines?.size ?? 0, armed: runtime.deadlines?.armed ?? false };
}

/**
 * `false` is observe mode, the kill switch: what Curfew adds (an end that is `automatic`, a limit of `withLimit`) is told
 * to `cancellationObserved` and not carried out. What the program itself says (its cancels, its deadlines, its signals)
 * works as ever. It holds for limits set and ends told from now on. Returns how to put the former mode back.
 *
 * @throws TypeError if `enforce` is no boolean: a string from the environment would be true, whatever it says.
 * @example
 * ```ts
 * import { background, withTimeout } from '@curfew/context';
 * import { setEnforcement, subscribe, withLimit } from '@curfew/context/spi';
 * const observed: string[] = [];
 * const stop = subscribe({ cancellationObserved: ({ reason }) => void observed.push(reason) });
 * const restore = setEnforcement(false);
 * const [request] = withLimit(background(), 0);
 * const [own] = withTimeout(request, 0);
 * restore();
 * stop();
 * [observed, request.err(), own.err()?.name]; // => [['deadline_exceeded'], undefined, 'TimeoutError']
 * ```
 */
export function setEnforcement(enforce: boolean): () => void {
  if (typeof enforce !== 'boolean') throw wrongType('enforce', 'a boolean', enforce);
  const former = runtime.enforce;
  runtime.enforce = enforce;
  return () => {
    runtime.enforce = former;
  };
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
