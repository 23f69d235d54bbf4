import type { Running } from './work';

/**
 * The open spans of each live context, oldest first, by the context's slot in the live list; and those that outlived
 * theirs. A span that nobody ends must not stay in memory for our sake: the newest thousand of each live context are
 * held, and the newest thousand of those left behind; the ones before them belong to whoever else holds them.
 */
export interface OpenSpans {
  /** A slot of -1 is that of a context which has ended, or which was derived before telemetry was installed. */
  add(slot: number, running: Running): void;
  remove(running: Running): void;
  oldest(slot: number): Running | undefined;
  /** The context ended: its spans are left behind. */
  release(slot: number): void;
  /** Sets whom to tell of work whose span was garbage-collected: nobody can end it any more. */
  onDropped(listener: (running: Running) => void): void;
}

/** As many as one cancellation marks. */
const MAX_HELD = 1000;

/** Values of `Running.context` that are no slot. */
const LEFT_BEHIND = -1;
const NOWHERE = -2;

/** Spans in the order of their start: those that are not held, then those that are. */
interface Row {
  oldest: Running | undefined;
  newest: Running | undefined;
  oldestHeld: Running | undefined;
  held: number;
}

const emptyRow = (): Row => ({ oldest: undefined, newest: undefined, oldestHeld: undefined, held: 0 });

export function createOpenSpans(): OpenSpans {
  const rows: (Row | undefined)[] = [];
  const leftBehind = emptyRow();
  const notHeld = new Set<Running>();
  let tell: (running: Running) => void = () => undefined;
  const collected = new FinalizationRegistry<Running>((running) => tell(running));

  function append(row: Row, running: Running): void {
    running.older = row.newest;
    if (row.newest === undefined) row.oldest = running;
    else row.newest.newer = running;
    row.newest = running;
    row.oldestHeld ??= running;
    if (++row.held > MAX_HELD) letGo(row, row.oldestHeld);
  }

  function unlink(row: Row, running: Running): void {
    const { older, newer } = running;
    if (older === undefined) row.oldest = newer;
    else older.newer = newer;
    if (newer === undefined) row.newest = older;
    else newer.older = older;
    if (row.oldestHeld === running) row.oldestHeld = newer;
    running.older = undefined;
    running.newer = undefined;
  }

  /** From here on the span is there as long as somebody else holds it. */
  function letGo(row: Row, running: Running): void {
    const { span } = running;
    row.held--;
    row.oldestHeld = running.newer;
    notHeld.add(running);
    if (span !== undefined) {
      const weak = new WeakRef(span);
      Object.defineProperty(running, 'span', { get: () => weak.deref() });
      collected.register(span, running, running);
    }
    if (row === leftBehind) {
      unlink(row, running);
      running.context = NOWHERE;
    }
  }

  return {
    add(slot, running) {
      running.context = slot;
      append(slot === LEFT_BEHIND ? leftBehind : (rows[slot] ??= emptyRow()), running);
    },
    remove(running) {
      const { context: slot } = running;
      const held = !(notHeld.size > 0 && notHeld.delete(running));
      if (!held) collected.unregister(running);
      if (slot === NOWHERE) return;
      const row = slot === LEFT_BEHIND ? leftBehind : (rows[slot] as Row);
      unlink(row, running);
      if (held) row.held--;
      if (row.oldest === undefined && slot !== LEFT_BEHIND) rows[slot] = undefined;
      running.context = NOWHERE;
    },
    oldest: (slot) => rows[slot]?.oldest,
    release(slot) {
      const row = rows[slot];
      if (row === undefined) return;
      let running = row.oldest;
      rows[slot] = undefined;
      while (running !== undefined) {
        const next = running.newer;
        running.newer = undefined;
        running.older = undefined;
        if (notHeld.has(running)) running.context = NOWHERE;
        else {
          running.context = LEFT_BEHIND;
          append(leftBehind, running);
        }
        running = next;
      }
    },
    onDropped(listener) {
      tell = listener;
    },
  };
}
