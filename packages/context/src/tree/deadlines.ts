import { MAX_DELAY } from '../plumbing/clock';
import { expire } from './ending';
import type { ContextNode, Due } from '../plumbing/protocol';
import { runtime, type Deadlines } from '../plumbing/runtime';

// The deadlines of the process. One that passes ends its context through `ending`; whatever ends there takes its deadline
// out by way of the slot in `runtime`, which `deadlines` below fills: `ending` must not import this file too.

/** Removed deadlines stay in the heap until they outnumber the live ones by this many, and are then swept out. */
const SLACK = 64;

function before(a: Due, b: Due): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/** How long, in ms, the timer may stay armed for nothing before it is cleared. */
const IDLE = 1000;

/**
 * A binary heap of deadlines over one timer. Removal only forgets the node, in a few nanoseconds, and leaves the
 * timer armed: most contexts are released long before their deadline, and setting and clearing a timer for each
 * costs more than all the rest, microseconds where AsyncLocalStorage is in use. What is armed for nothing is
 * cleared a second later, once, however many contexts came and went.
 */
export function createDeadlines(): Deadlines {
  const heap: Due[] = [];
  let live = 0;
  let refs = 0;
  let order = 0;
  let timer: unknown;
  let armedAt = Infinity;
  let armedRef = false;
  let idleTimer: unknown;
  let sweeping = false;

  function up(index: number): void {
    const due = heap[index] as Due;
    while (index > 0) {
      const above = (index - 1) >> 1;
      const other = heap[above] as Due;
      if (!before(due, other)) break;
      heap[index] = other;
      index = above;
    }
    heap[index] = due;
  }

  function down(index: number): void {
    const due = heap[index] as Due;
    const length = heap.length;
    for (;;) {
      let below = 2 * index + 1;
      if (below >= length) break;
      if (below + 1 < length && before(heap[below + 1] as Due, heap[below] as Due)) below++;
      const other = heap[below] as Due;
      if (!before(other, due)) break;
      heap[index] = other;
      index = below;
    }
    heap[index] = due;
  }

  function pop(): void {
    const last = heap.pop() as Due;
    if (heap.length === 0) return;
    heap[0] = last;
    down(0);
  }

  function compact(): void {
    let kept = 0;
    for (const due of heap) if (due.node !== undefined) heap[kept++] = due;
    heap.length = kept;
    for (let index = (kept >> 1) - 1; index >= 0; index--) down(index);
  }

  function disarm(): void {
    if (timer !== undefined) runtime.clock.clearTimer(timer);
    timer = undefined;
    armedAt = Infinity;
  }

  function arm(): void {
    while (heap.length > 0 && (heap[0] as Due).node === undefined) pop();
    disarm();
    const first = heap[0];
    if (first === undefined) return;
    const delay = Math.min(MAX_DELAY, Math.max(1, Math.ceil(first.at - runtime.clock.now())));
    armedAt = first.at;
    armedRef = refs > 0;
    timer = runtime.clock.setTimer(fire, delay, armedRef);
  }

  function fire(): void {
    timer = undefined;
    armedAt = Infinity;
    for (;;) {
      const first = heap[0];
      if (first === undefined) return;
      const node: ContextNode | undefined = first.node;
      if (node === undefined) {
        pop();
        continue;
      }
      // Timers fire early, by up to a millisecond: what has not passed by the clock is armed for again.
      const now = runtime.clock.now();
      if (now < first.at) break;
      expire(node, now, 'timer');
    }
    arm();
  }

  /** Looks once, later, whether the timer is still armed for nothing. */
  function idleSoon(): void {
    if (idleTimer !== undefined) return;
    idleTimer = runtime.clock.setTimer(idle, IDLE, false);
  }

  function idle(): void {
    idleTimer = undefined;
    if (live > 0) return;
    heap.length = 0;
    disarm();
  }

  /** A timer that need not keep the process alive any more must not do so until it fires. */
  function unrefSoon(): void {
    if (sweeping) return;
    sweeping = true;
    queueMicrotask(() => {
      sweeping = false;
      if (armedRef && refs === 0) arm();
    });
  }

  function stop(): void {
    disarm();
    if (idleTimer !== undefined) runtime.clock.clearTimer(idleTimer);
    idleTimer = undefined;
  }

  return {
    add(due) {
      due.order = order++;
      live++;
      if (due.ref) refs++;
      heap.push(due);
      up(heap.length - 1);
      if (due.at < armedAt || (due.ref && !armedRef)) arm();
    },
    remove(due) {
      due.node = undefined;
      live--;
      if (due.ref) refs--;
      if (heap.length > 2 * live + SLACK) compact();
      if (due.ref && refs === 0) unrefSoon();
      if (live === 0 && timer !== undefined) idleSoon();
    },
    rearm: arm,
    disarm: stop,
    get size() {
      return live;
    },
    get armed() {
      return timer !== undefined || idleTimer !== undefined;
    },
  };
}

/** The process's deadlines, made by the first that is set. */
export function deadlines(): Deadlines {
  return (runtime.deadlines ??= createDeadlines());
}
