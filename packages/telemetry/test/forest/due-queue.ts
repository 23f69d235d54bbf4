import type { Due } from './acts';

/** Deadlines that timers wait for, earliest first; among equal ones, the one that was armed first. */
export interface DueQueue {
  add(due: Due): void;
  /** The first that is still waited for. */
  first(): Due | undefined;
}

/** Whether its context has ended, told of it, or has another one instead. */
const isOver = (due: Due) => due.ctx.end !== undefined || due.ctx.fate === 'told' || due.ctx.due !== due;

/** A binary heap that forgets what is over when it comes up. */
export function createDueQueue(): DueQueue {
  const heap: Due[] = [];
  let order = 0;

  const at = (index: number) => heap[index] as Due;
  const isBefore = (a: Due, b: Due) =>
    a.at < b.at || (a.at === b.at && (a.order as number) < (b.order as number));
  const swap = (a: number, b: number) => {
    const former = at(a);
    heap[a] = at(b);
    heap[b] = former;
  };

  function dropFirst(): void {
    swap(0, heap.length - 1);
    heap.pop();
    for (let index = 0; ;) {
      let least = index;
      for (const below of [2 * index + 1, 2 * index + 2]) {
        if (below < heap.length && isBefore(at(below), at(least))) least = below;
      }
      if (least === index) return;
      swap(index, least);
      index = least;
    }
  }

  return {
    add(due) {
      due.order = order++;
      let index = heap.push(due) - 1;
      while (index > 0) {
        const above = (index - 1) >> 1;
        if (!isBefore(at(index), at(above))) return;
        swap(index, above);
        index = above;
      }
    },
    first() {
      while (heap.length > 0 && isOver(at(0))) dropFirst();
      return heap[0];
    },
  };
}
