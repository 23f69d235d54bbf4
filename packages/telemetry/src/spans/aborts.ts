import { reasonOf } from '@curfew/context/spi';

/** What the errors of a cancellation are called: by name, by code, by DOMException's numbers, by message. */
const ABORTS = new Set<unknown>([
  'AbortError',
  'ABORT_ERR',
  20,
  'TimeoutError',
  'ERR_DEADLINE_EXCEEDED',
  23,
  'CanceledError',
  'ERR_CANCELED',
  'UND_ERR_ABORTED',
  'context canceled',
  'context deadline exceeded',
  'The operation was aborted',
  'This operation was aborted',
]);

/** What those of work are called that was cut off: its socket closed, its stream destroyed, its query stopped. */
const CUTS = new Set<unknown>([
  'ECONNRESET',
  'EPIPE',
  'UND_ERR_SOCKET',
  'ERR_STREAM_PREMATURE_CLOSE',
  'ERR_STREAM_DESTROYED',
  'ERR_STREAM_WRITE_AFTER_END',
  '57014',
  'aborted',
  'socket hang up',
  'Premature close',
  'terminated',
  'canceling statement due to user request',
]);

/** How many causes deep an exception is looked into. */
const MAX_CAUSES = 16;

/** Tells what is written of an abort on one span from what is written of any other failure. */
export interface Aborts {
  /** Whether anything that was asked about so far was an abort. */
  readonly seen: boolean;
  /** Whether an exception is an abort. What it is called is an abort's from then on. Never throws. */
  isAbort(exception: unknown): boolean;
  /** Whether this is what an abort is called: a name, a code, a message. */
  names(word: unknown): boolean;
  /** Takes a word for an abort's. */
  learn(word: unknown): void;
}

/**
 * @param cause What the context was ended with, which is often what the aborted work fails with.
 * @param cut Whether the end may have cut the work off: what was on its way then fails as connections and streams do.
 */
export function createAborts(cause: unknown, cut: boolean): Aborts {
  const learnt = new Set<unknown>();
  let seen = false;

  const isAbortWord = (word: unknown) =>
    word !== undefined && (ABORTS.has(word) || (cut && CUTS.has(word)) || learnt.has(word));

  function isOne(exception: unknown): boolean {
    if (reasonOf(exception) !== undefined) return true;
    let current = exception;
    for (let depth = 0; depth < MAX_CAUSES; depth++) {
      if (typeof current !== 'object' || current === null) return isAbortWord(current);
      if (current === cause) return true;
      const { name, code, message } = current as Partial<Record<'name' | 'code' | 'message', unknown>>;
      // By name and not by a number: there are others than DOMException's.
      if (isAbortWord(name) || isAbortWord(message) || (typeof code === 'string' && isAbortWord(code)))
        return true;
      current = (current as { cause?: unknown }).cause;
    }
    return false;
  }

  function learn(word: unknown): void {
    seen = true;
    learnt.add(word);
  }

  return {
    get seen() {
      return seen;
    },
    isAbort(exception) {
      try {
        if (!isOne(exception)) return false;
        learn(exception);
        if (typeof exception !== 'object' || exception === null) return true;
        const { name, code, message } = exception as Partial<Record<'name' | 'code' | 'message', unknown>>;
        for (const word of [name, code, message]) if (word !== undefined && word !== '') learn(word);
        return true;
      } catch {
        // A getter of a stranger's error threw: it is recorded as it is.
        return false;
      }
    },
    names(word) {
      const is = isAbortWord(word);
      seen ||= is;
      return is;
    },
    learn,
  };
}
