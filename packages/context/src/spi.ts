import type { Context as OtelContext } from '@opentelemetry/api';
import { checkContext, checkFunction, checkOptions, wrongType } from './arguments';
import type { Clock } from './clock';
import { cancelNode, expireIfDue, retireNode } from './ending';
import { addListener, type HookEvents, type Hooks } from './hooks';
import { begin } from './operation';
import type { Operation, Origin } from './protocol';
import type { Reason } from './errors';
import { nodeOf } from './roots';
import { runtime } from './runtime';
import type { OperationOptions } from './types';

export { systemClock, type Clock } from './clock';
export type {
  BackendCancel,
  ChainBreak,
  CleanupDone,
  HookEvents,
  Hooks,
  ObservedCancellation,
  ReceivedDeadline,
  RefusedCall,
} from './hooks';
export { NODE_KEY, OPERATION_KEY } from './keys';
export { currentOperation } from './operation';
export {
  Flag,
  PROTOCOL,
  type Callback,
  type ContextNode,
  type Due,
  type Ending,
  type Layer,
  type Operation,
  type Origin,
  type Outcome,
  type RootMark,
} from './protocol';
export { nodeOf } from './roots';

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
  readonly cause?: unknown;
}

/**
 * Ends the context that `ctx` carries, on behalf of the world outside: a client that hung up, a shutdown. Does
 * nothing on one that never ends or has ended. The clock comes first: if the deadline has passed, that is why.
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
  cancelNode(node, reasonFor(options.origin), options.origin, options.cause);
}

function reasonFor(origin: Origin): Reason {
  return origin === 'deadline' || origin === 'remote_deadline' ? 'deadline_exceeded' : 'canceled';
}

/**
 * Ends a request's context as completed, because its response finished: its signal never aborts, `err()` stays
 * undefined, its deadline is disarmed, and live children go on as roots without the deadline they inherited.
 */
export function retire(ctx: OtelContext): void {
  checkContext(ctx, 'ctx');
  const node = nodeOf(ctx);
  if (node === undefined || node.ending !== undefined) return;
  expireIfDue(node);
  retireNode(node);
}

/** Starts an operation under a context; `undefined` where the context never ends. Whoever starts one settles it. */
export function beginOperation(ctx: OtelContext, options?: OperationOptions): Operation | undefined {
  checkContext(ctx, 'ctx');
  checkOptions(options, 'options');
  const node = nodeOf(ctx);
  return node === undefined ? undefined : begin(node, options);
}

/** What adapters tell, and whether anybody listens: `hooks.callRefused?.({ source: 'http.client' })`. */
export const hooks: Readonly<Hooks> = runtime.board.hooks;

/** Listens to the hooks, beside whoever else does; returns how to stop. */
export function subscribe(listener: Partial<HookEvents>): () => void {
  if (typeof listener !== 'object' || listener === null)
    throw wrongType('listener', 'an object of hooks', listener);
  return addListener(runtime.board, listener);
}

/** Exceptions that listeners of the hooks have thrown so far in this process. */
export function hookErrors(): number {
  return runtime.board.errors;
}

/** The clock in force. */
export function clock(): Clock {
  return runtime.clock;
}

/** Puts another clock in force, for tests; returns how to put the former one back. */
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

/** Live deadlines, and whether a timer is armed for them. */
export function deadlineStatus(): { readonly live: number; readonly armed: boolean } {
  return { live: runtime.deadlines?.size ?? 0, armed: runtime.deadlines?.armed ?? false };
}

/**
 * `false` is observe mode, the kill switch: what would be cancelled is told to `cancellationObserved` and the
 * context retired instead. Returns how to put the former mode back.
 */
export function setEnforcement(enforce: boolean): () => void {
  const former = runtime.enforce;
  runtime.enforce = enforce;
  return () => {
    runtime.enforce = former;
  };
}
