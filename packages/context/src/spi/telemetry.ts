import { wrongType } from '../plumbing/arguments';
import { addListener, type HookEvents } from '../plumbing/hooks';
import { runtime } from '../plumbing/runtime';

// What telemetry works with: everything that the core tells, and the nodes that it tells it of.

export type {
  ChainBreak,
  CleanupDone,
  ContextEnded,
  ContextStarted,
  GuardedError,
  HookEvents,
  ObservedCancellation,
} from '../plumbing/hooks';
export { NODE_KEY, OPERATION_KEY } from '../plumbing/keys';
export {
  Flag,
  PROTOCOL,
  type Callback,
  type ContextNode,
  type Due,
  type Layer,
  type Operations,
  type RootMark,
} from '../plumbing/protocol';
export { nodeOf } from '../tree/carried';

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
 *   contextStarted: ({ node }) => void told.push(node.name),
 *   contextEnded: ({ ending }) => void told.push(ending.outcome, ending.fanout),
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
