import type { Context as OtelContext } from '@opentelemetry/api';
import {
  checkDuration,
  checkFunction,
  checkInstant,
  checkOptions,
  checkSignal,
  isContext,
  wrongType,
} from '../plumbing/arguments';
import { derive, deriveUntil } from './derive';
import { errorOf } from '../tree/ending';
import { followSignal } from '../tree/foreign-signal';
import { OPERATION_KEY } from '../plumbing/keys';
import type { TreeNode } from '../tree/node';
import { inside } from '../plumbing/current-operation';
import { begin } from '../tree/operation';
import { active } from './roots';
import { runtime } from '../plumbing/runtime';
import type { CancelContext, DeriveOptions } from '../plumbing/types';
import { beginWait, settle, waitFor } from '../tree/wait';

/** What ends a scope beside its parent, and how it is named. */
export interface ScopeOptions extends DeriveOptions {
  /** Milliseconds. With `deadline` as well, the earlier one counts. */
  readonly timeout?: number;
  /** A Date or epoch milliseconds. */
  readonly deadline?: Date | number;
  /** A signal that ends the scope too. */
  readonly signal?: AbortSignal;
}

/**
 * Derives a context, makes it active, runs `fn` with it and releases it: the everyday form. The promise settles
 * as `fn` does, but rejects as soon as the context ends, with its error; `fn` itself goes on until it notices,
 * and is seen in telemetry as work in flight, then as an orphan. A scope whose deadline has passed by the clock
 * when `fn` settles rejects with it.
 *
 * @param parent `active()` unless given.
 * @returns A promise; bad arguments throw at once, as TypeError or RangeError.
 * @example
 * ```ts
 * import { scope } from '@curfew/context';
 * await scope({ timeout: 300, name: 'price' }, async (ctx) => {
 *   ctx.throwIfDone();
 *   return 42;
 * }); // => 42
 * ```
 */
export function scope<T>(options: ScopeOptions, fn: (ctx: CancelContext) => T | PromiseLike<T>): Promise<T>;
export function scope<T>(
  parent: OtelContext,
  options: ScopeOptions,
  fn: (ctx: CancelContext) => T | PromiseLike<T>,
): Promise<T>;
export function scope<T>(
  first: OtelContext | ScopeOptions,
  second: ScopeOptions | ((ctx: CancelContext) => T | PromiseLike<T>),
  third?: (ctx: CancelContext) => T | PromiseLike<T>,
): Promise<T> {
  const short = typeof second === 'function' || (third === undefined && !isContext(first));
  const options = (short ? first : second) as ScopeOptions;
  const fn = short ? second : third;
  if (short && isContext(first)) throw wrongType('options', 'an options object before fn', first);
  checkOptions(options, 'options');
  if (options === undefined) throw wrongType('options', 'an options object', options);
  checkFunction(fn, 'fn');
  const node = open(short ? active() : (first as OtelContext), options);
  return carryOut(node, options, fn as (ctx: CancelContext) => T | PromiseLike<T>);
}

function open(parent: OtelContext, options: ScopeOptions): TreeNode {
  const { timeout, deadline, signal } = options;
  if (signal !== undefined) checkSignal(signal, 'options.signal');
  if (timeout !== undefined) checkDuration(timeout, 'options.timeout');
  let wall = deadline === undefined ? undefined : checkInstant(deadline, 'options.deadline');
  let ms = wall === undefined ? Infinity : wall - runtime.clock.wallNow();
  if (timeout !== undefined && timeout < ms) {
    ms = timeout;
    wall = undefined;
  }
  const node = ms === Infinity ? derive(parent, options) : deriveUntil(parent, ms, wall, options);
  if (signal !== undefined) followSignal(node, signal);
  return node;
}

function carryOut<T>(
  node: TreeNode,
  options: ScopeOptions,
  fn: (ctx: CancelContext) => T | PromiseLike<T>,
): Promise<T> {
  if (node.ending !== undefined && !node.ending.retired) return Promise.reject(errorOf(node));
  const operation = begin(node, options);
  const [wait, outcome] = beginWait<T>(node, operation, true);
  const ctx = node.setValue(OPERATION_KEY, operation) as CancelContext;
  let result: T | PromiseLike<T>;
  try {
    result = inside(ctx, operation, fn);
  } catch (error) {
    settle(wait, ({ reject }) => reject?.(error));
    return outcome;
  }
  waitFor(wait, Promise.resolve(result));
  return outcome;
}
