import type { Context as OtelContext } from '@opentelemetry/api';
import { checkContext, checkDuration, checkFunction, checkOptions } from '../plumbing/arguments';
import { addCallback } from '../tree/callback';
import { withTimeout } from './derive';
import { neverCalled } from './on-end';
import { endOf } from '../tree/carried';
import { withoutCancel } from './roots';
import { run } from './run';
import { runtime } from '../plumbing/runtime';
import type { CleanupDone } from '../plumbing/hooks';
import type { CancelContext } from '../plumbing/types';

/** What `cleanup` accepts. */
export interface CleanupOptions {
  /** Milliseconds that the clean-up may take. Default 5,000: half of the 10 s that `docker stop` leaves a process. */
  readonly timeout?: number;
}

const DEFAULT_TIMEOUT = 5000;

/**
 * Calls `fn` in a turn of its own once the context has ended, in whatever way, a request that finished included:
 * to give back a lock, remove a file. It gets a context of its own, detached from the ended one, with the same
 * values and span and its own time limit. Returns `stop`, which tells whether it kept `fn` from being called.
 *
 * What `fn` throws or rejects with surfaces as an unhandled rejection; nothing is swallowed. The limit ends the context
 * that `fn` got and waits for nothing: `fn` has to heed it. On a context that has ended `fn` is called all the same, on
 * one that never ends never.
 *
 * @throws TypeError or RangeError naming the argument.
 * @example
 * ```ts
 * import { background, withCancel, cleanup, sleep } from '@curfew/context';
 * const [ctx, cancel] = withCancel(background());
 * const said: unknown[] = [];
 * cleanup(ctx, async (own) => said.push('unlocked', own.err(), own.remaining() <= 500), { timeout: 500 });
 * cancel('why');
 * said.push('returned');
 * await sleep(background(), 0);
 * said; // => ['returned', 'unlocked', undefined, true]
 * ```
 */
export function cleanup(
  ctx: OtelContext,
  fn: (ctx: CancelContext) => unknown,
  options?: CleanupOptions,
): () => boolean {
  checkContext(ctx, 'ctx');
  checkFunction(fn, 'fn');
  checkOptions(options, 'options');
  const timeout = options?.timeout ?? DEFAULT_TIMEOUT;
  checkDuration(timeout, 'options.timeout');
  const node = endOf(ctx);
  if (node === undefined) return neverCalled();
  return addCallback(node, () => carryOut(withoutCancel(ctx), fn, timeout), 'always');
}

async function carryOut(
  detached: OtelContext,
  fn: (ctx: CancelContext) => unknown,
  timeout: number,
): Promise<void> {
  const { clock, board } = runtime;
  const from = clock.now();
  const [ctx, release] = withTimeout(detached, timeout, { name: 'cleanup' });
  let outcome: CleanupDone['outcome'] | undefined;
  const done = (how: CleanupDone['outcome']) => {
    if (outcome !== undefined) return;
    outcome = how;
    board.hooks.cleanupDone?.({ outcome, duration: clock.now() - from, ctx: detached });
  };
  const node = endOf(ctx);
  if (node !== undefined) addCallback(node, () => done('timed_out'), 'now');
  try {
    await run(ctx, { name: 'cleanup' }, fn as (ctx: unknown) => unknown);
    done(ctx.err() === undefined ? 'completed' : 'timed_out');
  } catch (error) {
    done(ctx.err() === undefined ? 'failed' : 'timed_out');
    throw error;
  } finally {
    release();
  }
}
