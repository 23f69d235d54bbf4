import type { Context as OtelContext } from '@opentelemetry/api';
import { checkContext, wrongType } from './arguments';
import { errOf } from './state';
import { untilEnd } from './race';
import { nodeOf } from './roots';

const ignore = () => undefined;

/**
 * The values of an async iterable, until the context ends: then the iteration throws the context's error at once,
 * even while a value is awaited, and asks the source to return. A source that is stuck in its own await cleans up
 * when that await is over; nobody waits for it, and what it then throws is dropped. Leaving the loop early waits
 * for the source's clean-up, as `for await` does.
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
  const node = nodeOf(ctx);
  let exhausted = false;
  try {
    for (;;) {
      const error = node && errOf(node);
      if (error !== undefined) throw error;
      const next = Promise.resolve(iterator.next());
      const step = await (node === undefined ? next : untilEnd(node, next));
      if (step.done === true) {
        exhausted = true;
        return;
      }
      yield step.value;
    }
  } catch (error) {
    if (!exhausted && node !== undefined && errOf(node) === error) {
      exhausted = true;
      // A generator that awaits something queues this until then.
      Promise.resolve(iterator.return?.()).catch(ignore);
    }
    throw error;
  } finally {
    if (!exhausted) await iterator.return?.();
  }
}

function open<T>(source: AsyncIterable<T> | Iterable<T>): AsyncIterator<T> | Iterator<T> {
  const iterable = source as Partial<AsyncIterable<T> & Iterable<T>> | undefined;
  const iterator = iterable?.[Symbol.asyncIterator]?.() ?? iterable?.[Symbol.iterator]?.();
  if (iterator === undefined) throw wrongType('source', 'an async iterable', source);
  return iterator;
}
