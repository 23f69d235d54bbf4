import * as curfew from '@curfew/context';
import { byHand, floorCancel, floorNode, floorRoot, sink, times } from './by-hand.mjs';
import { effectDerive } from './effect.mjs';

const root = curfew.background();

function deriveAndCancel(siblings) {
  return {
    floor() {
      const parent = floorRoot();
      times(siblings, () => floorNode(parent));
      return (count) => {
        for (let index = 0; index < count; index++) {
          const node = floorNode(parent);
          const cancel = floorCancel(node);
          sink.value = cancel;
          cancel();
        }
        return count;
      };
    },
    curfew() {
      const [parent] = curfew.withCancel(root);
      const kept = Array.from({ length: siblings }, () => curfew.withCancel(parent));
      return (count) => {
        sink.kept = kept;
        for (let index = 0; index < count; index++) {
          const [ctx, cancel] = curfew.withCancel(parent);
          sink.value = ctx;
          cancel();
        }
        return count;
      };
    },
    native() {
      const parent = new AbortController();
      const kept = Array.from({ length: siblings }, () => byHand(parent.signal));
      return (count) => {
        sink.kept = kept;
        for (let index = 0; index < count; index++) {
          const child = byHand(parent.signal);
          sink.value = child;
          child.cancel();
        }
        return count;
      };
    },
    effect: effectDerive,
    any() {
      const parent = new AbortController();
      const kept = Array.from({ length: siblings }, () =>
        AbortSignal.any([parent.signal, new AbortController().signal]),
      );
      return (count) => {
        sink.kept = kept;
        for (let index = 0; index < count; index++) {
          const own = new AbortController();
          sink.value = AbortSignal.any([parent.signal, own.signal]);
          own.abort('done');
        }
        return count;
      };
    },
  };
}

function timeoutAndRelease(parentsMs) {
  return {
    floor() {
      const parent = floorRoot();
      return (count) => {
        for (let index = 0; index < count; index++) {
          const node = floorNode(parent);
          node.at = performance.now() + 1000;
          const cancel = floorCancel(node);
          sink.value = cancel;
          cancel();
        }
        return count;
      };
    },
    curfew() {
      const [parent] = curfew.withTimeout(root, parentsMs);
      return (count) => {
        for (let index = 0; index < count; index++) {
          const [ctx, cancel] = curfew.withTimeout(parent, 60_000);
          sink.value = ctx;
          cancel();
        }
        return count;
      };
    },
  };
}

/** Deriving and ending one context. */
export const deriveRows = {
  'derive and cancel': { unit: 'ns', count: 200_000, slow: 5000, contenders: deriveAndCancel(0) },
  'derive and cancel, 10,000 siblings': {
    unit: 'ns',
    count: 20_000,
    slow: 1000,
    contenders: deriveAndCancel(10_000),
  },
  'derive with a timeout, release': {
    unit: 'ns',
    count: 100_000,
    slow: 1000,
    contenders: {
      ...timeoutAndRelease(Infinity),
      native: () => {
        const parent = new AbortController();
        return (count) => {
          for (let index = 0; index < count; index++) {
            const child = byHand(parent.signal);
            const timer = setTimeout(() => child.cancel(), 60_000);
            sink.value = child;
            clearTimeout(timer);
            child.cancel();
          }
          return count;
        };
      },
      any: () => {
        const parent = new AbortController();
        return (count) => {
          for (let index = 0; index < count; index++) {
            const own = new AbortController();
            sink.value = AbortSignal.any([parent.signal, own.signal, AbortSignal.timeout(60_000)]);
            own.abort('done');
          }
          return count;
        };
      },
    },
  },
  // As in a server whose requests have a deadline.
  'derive with a timeout under a deadline, release': {
    unit: 'ns',
    count: 100_000,
    contenders: timeoutAndRelease(120_000),
  },
};
