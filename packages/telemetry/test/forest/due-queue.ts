import type { Ctx } from './acts';

/** Contexts by the deadlines that they set, earliest first; among equal ones, the one that was armed first. */
export interface DueQueue {
  add(ctx: Ctx): void;
  /** The first that is still waited for. */
  first(): Ctx | undefined;
}

/** A binary heap that forgets what has ended or was told when it comes up. */
export function createDueQueue(): DueQueue {
  const heap: Ctx[] = [];
  let order = 0;

  const at = (index: number) => heap[index] as Ctx;
  const isBefore = (a: Ctx, b: Ctx) => a.due < b.due || (a.due === b.due && a.order < b.order);
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
    add(ctx) {
      ctx.order = order++;
      let index = heap.push(ctx) - 1;
      while (index > 0) {
        const above = (index - 1) >> 1;
        if (!isBefore(at(index), at(above))) return;
        swap(index, above);
        index = above;
      }
    },
    first() {
      while (heap.length > 0 && (at(0).end !== undefined || at(0).fate === 'told')) dropFirst();
      return heap[0];
    },
  };
}
