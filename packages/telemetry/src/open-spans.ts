import type { Running } from './work';

/** The open spans of each live context, oldest first, by the context's slot in the live list. */
export interface OpenSpans {
  add(slot: number, running: Running): void;
  remove(running: Running): void;
  oldest(slot: number): Running | undefined;
  /** The context ended: its spans are nobody's any more. */
  release(slot: number): void;
}

interface Ends {
  oldest: Running;
  newest: Running;
}

export function createOpenSpans(): OpenSpans {
  const ends: (Ends | undefined)[] = [];
  return {
    add(slot, running) {
      running.context = slot;
      const list = ends[slot];
      if (list === undefined) {
        ends[slot] = { oldest: running, newest: running };
        return;
      }
      running.older = list.newest;
      list.newest.newer = running;
      list.newest = running;
    },
    remove(running) {
      const { context: slot, older, newer } = running;
      if (slot < 0) return;
      const list = ends[slot] as Ends;
      if (older === undefined && newer === undefined) ends[slot] = undefined;
      else if (older === undefined) list.oldest = newer as Running;
      else older.newer = newer;
      if (newer !== undefined) newer.older = older;
      else if (older !== undefined) list.newest = older;
      running.context = -1;
      running.older = undefined;
      running.newer = undefined;
    },
    oldest: (slot) => ends[slot]?.oldest,
    release(slot) {
      let running = ends[slot]?.oldest;
      ends[slot] = undefined;
      while (running !== undefined) {
        const next = running.newer;
        running.context = -1;
        running.older = undefined;
        running.newer = undefined;
        running = next;
      }
    },
  };
}
