import type { Context as OtelContext } from '@opentelemetry/api';
import { checkContext, checkFunction, checkOptions, wrongType } from '../plumbing/arguments';
import { derive } from './derive';
import { cancelNode, releaseNode } from '../tree/ending';
import { run } from './run';
import type { CancelContext, Context, OperationOptions } from '../plumbing/types';

/** Tasks that belong together, as Go's errgroup: the first failure cancels the others. Made by `group`. */
export interface Group {
  /**
   * Starts a task, or queues it while the limit is reached; queued tasks start in order, in the
   * asynchronous context of this call. It runs with the group's context active and as its argument. What it throws counts as its rejection.
   */
  go(fn: (ctx: Context) => unknown, options?: OperationOptions): void;
  /** Starts a task only if the limit allows it at once and none is queued; tells whether it did. */
  tryGo(fn: (ctx: Context) => unknown, options?: OperationOptions): boolean;
  /**
   * Resolves once every task has settled; rejects with the first error in time. Later errors are handled and
   * dropped. The group's context ends with the first error or here, whichever comes first.
   */
  wait(): Promise<void>;
}

/** What `group` accepts. */
export interface GroupOptions {
  /** Tasks running at a time. Unlimited unless given, or if negative; 0 lets none start. */
  readonly limit?: number;
  /** The name of the group's context. */
  readonly name?: string;
}

interface Task {
  readonly fn: (ctx: Context) => unknown;
  readonly options: OperationOptions;
}

/**
 * Go's `errgroup.WithContext`: a group of tasks and the context that they share. The first error cancels it with
 * that error as its cause and origin `sibling_failed`; `wait` waits for all tasks even then, so tasks must heed their
 * context. Call `wait`: it also releases the context, and a failure that nobody waits for goes nowhere else.
 *
 * @throws TypeError or RangeError naming the argument.
 * @example
 * ```ts
 * import { background, group, sleep } from '@curfew/context';
 * const [tasks, ctx] = group(background());
 * tasks.go((ctx) => sleep(ctx, 60_000));
 * tasks.go(() => Promise.reject(new Error('first')));
 * await tasks.wait().catch((error: Error) => error.message); // => 'first'
 * (ctx.cause() as Error).message; // => 'first'
 * ```
 */
export function group(ctx: OtelContext, options?: GroupOptions): [Group, CancelContext] {
  checkContext(ctx, 'ctx');
  checkOptions(options, 'options');
  const limit = checkLimit(options?.limit);
  const node = derive(ctx, options);
  /** What starts the tasks that wait for their turn. */
  const queue: (() => void)[] = [];
  const waiting: (() => void)[] = [];
  let running = 0;
  let failure: { readonly error: unknown } | undefined;

  /** Starts a task in a place that is taken already. */
  function start({ fn, options: named }: Task): void {
    let result: unknown;
    try {
      result = run(node, named, fn);
    } catch (error) {
      failed(error);
    }
    // In a later turn always: a queue of tasks that throw at once is no deep recursion.
    Promise.resolve(result).then(settled, (error: unknown) => {
      failed(error);
      settled();
    });
  }

  function enqueue(task: Task): void {
    // By a promise, since it goes on in the asynchronous context of this call and not of whoever makes room.
    void new Promise<void>((resolve) => queue.push(resolve)).then(() => start(task));
  }

  function failed(error: unknown): void {
    if (failure !== undefined) return;
    failure = { error };
    cancelNode(node, 'canceled', 'sibling_failed', error ?? undefined);
  }

  /** Hands the place on to the next task, if one waits. */
  function settled(): void {
    const next = queue.shift();
    if (next !== undefined) {
      next();
      return;
    }
    running--;
    if (running === 0) for (const done of waiting.splice(0)) done();
  }

  return [
    {
      go(fn, named = {}) {
        checkFunction(fn, 'fn');
        checkOptions(named, 'options');
        if (limit === 0) throw new RangeError('go would wait for ever: the limit of this group is 0');
        const task = { fn, options: named };
        if (running >= limit) {
          enqueue(task);
          return;
        }
        running++;
        start(task);
      },
      tryGo(fn, named = {}) {
        checkFunction(fn, 'fn');
        checkOptions(named, 'options');
        if (running >= limit) return false;
        running++;
        start({ fn, options: named });
        return true;
      },
      async wait() {
        if (running > 0) await new Promise<void>((resolve) => waiting.push(resolve));
        releaseNode(node);
        if (failure !== undefined) throw failure.error;
      },
    },
    node,
  ];
}

function checkLimit(limit: unknown): number {
  if (limit === undefined) return Infinity;
  if (typeof limit !== 'number') throw wrongType('options.limit', 'a whole number', limit);
  if (!Number.isInteger(limit) && limit !== Infinity)
    throw new RangeError(`options.limit must be a whole number, got ${limit}`);
  return limit < 0 ? Infinity : limit;
}
