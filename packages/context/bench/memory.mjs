import * as curfew from '@curfew/context';
import { byHand, floorCancel, floorNode, floorRoot, noop, sink, timed, times } from './by-hand.mjs';

const root = curfew.background();
const gc = globalThis.gc ?? (() => {});

function bytes(make, count = 100_000) {
  return () => () => {
    const kept = new Array(count);
    gc();
    const before = process.memoryUsage().heapUsed;
    for (let index = 0; index < count; index++) kept[index] = make();
    gc();
    const after = process.memoryUsage().heapUsed;
    sink.value = kept;
    return { count, ns: after - before };
  };
}

/** What lives that have ended leave on the heap, under a parent that lives on. */
function kept(prepare, live, count = 200_000) {
  return () => {
    const parent = prepare();
    return () => {
      gc();
      const before = process.memoryUsage().heapUsed;
      for (let index = 0; index < count; index++) live(parent);
      gc();
      const after = process.memoryUsage().heapUsed;
      sink.value = parent;
      return { count, ns: Math.max(0, after - before) };
    };
  };
}

const listened = ({ signal }) => signal.addEventListener('abort', noop);

function liveDeadlines(phase) {
  const count = 100_000;
  return {
    floor: () => () => {
      const heap = [];
      const fill = () =>
        times(count, (index) => heap.push({ at: performance.now() + 3_600_000 + index, node: { index } }));
      if (phase === 'create') return timed(count, fill);
      fill();
      return timed(count, () => {
        for (const due of heap) due.node = undefined;
      });
    },
    curfew: () => () => {
      const cancels = [];
      const fill = () =>
        times(count, (index) => cancels.push(curfew.withTimeout(root, 3_600_000 + index)[1]));
      if (phase === 'create') {
        const result = timed(count, fill);
        for (const cancel of cancels) cancel();
        return result;
      }
      fill();
      return timed(count, () => {
        for (const cancel of cancels) cancel();
      });
    },
    native: () => () => {
      const timers = [];
      const fill = () => times(count, (index) => timers.push(setTimeout(noop, 3_600_000 + index)));
      if (phase === 'create') {
        const result = timed(count, fill);
        timers.forEach(clearTimeout);
        return result;
      }
      fill();
      return timed(count, () => timers.forEach(clearTimeout));
    },
  };
}

const memoryParents = {
  floor: floorRoot(),
  curfew: curfew.withCancel(root)[0],
  native: new AbortController().signal,
};

/** What live contexts and deadlines take, and what ended ones leave behind. */
export const memoryRows = {
  'bytes of a live child': {
    unit: 'bytes',
    contenders: {
      floor: bytes(() => floorNode(memoryParents.floor)),
      curfew: bytes(() => curfew.withCancel(memoryParents.curfew)[0]),
      native: bytes(() => byHand(memoryParents.native), 5000),
      any: bytes(() => AbortSignal.any([memoryParents.native]), 5000),
    },
  },
  'bytes of a live child with its cancel function': {
    unit: 'bytes',
    contenders: {
      floor: bytes(() => floorCancel(floorNode(memoryParents.floor))),
      curfew: bytes(() => curfew.withCancel(memoryParents.curfew)[1]),
    },
  },
  'bytes kept of a derive-and-release': {
    unit: 'bytes',
    contenders: {
      floor: kept(floorRoot, (parent) => floorCancel(floorNode(parent))()),
      curfew: kept(
        () => curfew.withCancel(root)[0],
        (parent) => curfew.withCancel(parent)[1](),
      ),
      native: kept(
        () => new AbortController(),
        (parent) => byHand(parent.signal).cancel(),
        20_000,
      ),
      any: kept(
        () => new AbortController(),
        (parent) => AbortSignal.any([parent.signal]),
        20_000,
      ),
    },
  },
  'bytes kept, a signal read and a listener left on it': {
    unit: 'bytes',
    contenders: {
      curfew: kept(
        () => curfew.withCancel(root)[0],
        (parent) => {
          const [ctx, cancel] = curfew.withCancel(parent);
          listened(ctx);
          cancel();
        },
        20_000,
      ),
      native: kept(
        () => new AbortController(),
        (parent) => {
          const child = byHand(parent.signal);
          listened(child);
          child.cancel();
        },
        20_000,
      ),
      any: kept(
        () => new AbortController(),
        (parent) => listened({ signal: AbortSignal.any([parent.signal]) }),
        20_000,
      ),
    },
  },
  'create one of 100,000 live deadlines': { unit: 'ns', contenders: liveDeadlines('create') },
  'clear one of 100,000 live deadlines': { unit: 'ns', contenders: liveDeadlines('clear') },
};
