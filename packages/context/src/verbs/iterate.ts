import type { Context as OtelContext } from '@opentelemetry/api';
import { checkContext, wrongType } from '../plumbing/arguments';
import { errOf } from '../tree/answers';
import type { ContextNode } from '../plumbing/protocol';
import { endOf } from '../tree/carried';
import { untilEnd } from '../tree/wait';

const ignore = () => undefined;

/**
 * The values of an async iterable, until the context ends: then the iteration throws the context's error at once,
 * even while a value is awaited, and asks the source to return. A source that is stuck in its own await cleans up
 * when that await is over; nobody waits for it, and what it then throws is dropped. Leaving the loop early waits
 * for the source's clean-up, as `for await` does; a source that fails by itself is not asked to clean up, likewise.
 *
 * @throws TypeError if `ctx` is no Context or `source` not iterable, on the first step.
 * @example
 * ```ts
 * import { background, withCancel, iterate, isCanceled } from '@curfew/context';
 * async function* forever() {
 *   for (let n = 1; ; n++) yield n;
 * }
 * const [ctx, cancel] = withCancel(background());
 * const seen: number[] = [];
 * try {
 *   for await (const n of iterate(ctx, forever())) {
 *     seen.push(n);
 *     if (n === 3) cancel();
 *   }
 * } catch (error) {
 *   isCanceled(error); // => true
 * }
 * seen; // => [1, 2, 3]
 * ```
 */
export async function* iterate<T>(
  ctx: OtelContext,
  source: AsyncIterable<T> | Iterable<T>,
): AsyncGenerator<T, void, undefined> {
  checkContext(ctx, 'ctx');
  const iterator = open(source);
  let node: ContextNode | undefined;
  /** Whether the source is to be told that nobody asks for more: not once it has returned or failed by itself. */
  let going = true;

  async function next(): Promise<IteratorResult<T>> {
    try {
      const step = await iterator.next();
      if (step.done === true) going = false;
      return step;
    } catch (error) {
      going = false;
      throw error;
    }
  }

  async function leave(): Promise<void> {
    if (!going) return;
    going = false;
    await iterator.return?.();
  }

  try {
    for (;;) {
      // Anew for each step: between them nothing listens.
      node = endOf(ctx);
      const error = node && errOf(node);
      if (error !== undefined) throw error;
      const step = await (node === undefined ? next() : untilEnd(node, next()));
      if (step.done === true) return;
      yield step.value;
    }
  } catch (error) {
    // A generator that awaits something queues this until then.
    if (node !== undefined && errOf(node) === error) leave().catch(ignore);
    throw error;
  } finally {
    await leave();
  }
}

function open<T>(source: AsyncIterable<T> | Iterable<T>): AsyncIterator<T> | Iterator<T> {
  const iterable = source as Partial<AsyncIterable<T> & Iterable<T>> | undefined;
  const iterator = iterable?.[Symbol.asyncIterator]?.() ?? iterable?.[Symbol.iterator]?.();
  if (iterator === undefined) throw wrongType('source', 'an async iterable', source);
  return iterator;
}
