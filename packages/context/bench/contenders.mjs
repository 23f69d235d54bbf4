// Every row in each of its contenders' hands. Results escape through `sink`; cancel functions are kept where a
// program would keep them. A row returns how many operations it did; the caller times it.
import { createRequire } from 'node:module';
import * as curfew from '@curfew/context';

const require = createRequire(import.meta.url);

const { createContextKey, ROOT_CONTEXT } = require('@opentelemetry/api');

export const sink = { value: undefined };

const root = curfew.background();
const KEYS = Array.from({ length: 10 }, (_, index) => createContextKey(`bench.${index}`));
const gc = globalThis.gc ?? (() => {});

// The floor: the least work by hand. A small object in an intrusive list, taken out again.
function floorNode(parent) {
  const node = { parent, prev: parent.last, next: undefined, last: undefined, done: false };
  if (parent.last !== undefined) parent.last.next = node;
  parent.last = node;
  return node;
}
function floorEnd(node) {
  node.done = true;
  const { parent, prev, next } = node;
  if (prev !== undefined) prev.next = next;
  if (next !== undefined) next.prev = prev;
  else parent.last = prev;
}
function floorCancel(node) {
  const cancel = () => floorEnd(node);
  cancel[Symbol.dispose] = cancel;
  return cancel;
}
const floorRoot = () => ({
  parent: undefined,
  prev: undefined,
  next: undefined,
  last: undefined,
  done: false,
});

// By hand: an AbortController a level, which listens on its parent and stops listening when it ends.
function byHand(parentSignal) {
  const controller = new AbortController();
  const follow = () => controller.abort(parentSignal.reason);
  parentSignal.addEventListener('abort', follow);
  return {
    signal: controller.signal,
    cancel() {
      parentSignal.removeEventListener('abort', follow);
      controller.abort('done');
    },
  };
}

const noop = () => {};
/** Not for what is measured: a shared loop would not be inlined for each of its users. */
const times = (count, fn) => {
  for (let index = 0; index < count; index++) fn(index);
};

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

function cancelWide(width) {
  return {
    floor() {
      return () => {
        const parent = floorRoot();
        const nodes = Array.from({ length: width }, () => {
          const node = floorNode(parent);
          node.listener = noop;
          return node;
        });
        return timed(width, () => {
          for (let node = nodes[0]; node !== undefined; node = node.next) {
            node.done = true;
            node.listener();
          }
        });
      };
    },
    curfew() {
      return () => {
        const [parent, cancel] = curfew.withCancel(root);
        for (let index = 0; index < width; index++) {
          const [ctx] = curfew.withCancel(parent);
          curfew.onEnd(ctx, noop);
        }
        return timed(width, cancel);
      };
    },
    native() {
      return () => {
        const parent = new AbortController();
        for (let index = 0; index < width; index++)
          byHand(parent.signal).signal.addEventListener('abort', noop);
        return timed(width, () => parent.abort('done'));
      };
    },
    any() {
      return () => {
        const parent = new AbortController();
        const kept = [];
        for (let index = 0; index < width; index++) {
          const signal = AbortSignal.any([parent.signal]);
          signal.addEventListener('abort', noop);
          kept.push(signal);
        }
        sink.kept = kept;
        return timed(width, () => parent.abort('done'));
      };
    },
  };
}

function cancelDeep(depth) {
  return {
    floor() {
      return () => {
        const nodes = [floorRoot()];
        for (let index = 0; index < depth; index++) nodes.push(floorNode(nodes[index]));
        return timed(depth, () => {
          for (let node = nodes[0]; node !== undefined; node = node.last) node.done = true;
        });
      };
    },
    curfew() {
      return () => {
        const [top, cancel] = curfew.withCancel(root);
        let ctx = top;
        for (let index = 0; index < depth; index++) [ctx] = curfew.withCancel(ctx);
        sink.value = ctx;
        return timed(depth, cancel);
      };
    },
    ...(depth <= 1000
      ? {
          native() {
            return () => {
              const top = new AbortController();
              let signal = top.signal;
              for (let index = 0; index < depth; index++) signal = byHand(signal).signal;
              return timed(depth, () => top.abort('done'));
            };
          },
        }
      : {}),
    any() {
      return () => {
        const top = new AbortController();
        const kept = [top.signal];
        for (let index = 0; index < depth; index++) kept.push(AbortSignal.any([kept[index]]));
        sink.kept = kept;
        return timed(depth, () => top.abort('done'));
      };
    },
  };
}

/** A row whose set-up is not to be timed: tells its own nanoseconds. */
function timed(count, fn) {
  const from = process.hrtime.bigint();
  fn();
  return { count, ns: Number(process.hrtime.bigint() - from) };
}

function bytes(make, count = 100_000) {
  return () => () => {
    const kept = new Array(count);
    make.prepare?.();
    gc();
    const before = process.memoryUsage().heapUsed;
    for (let index = 0; index < count; index++) kept[index] = make();
    gc();
    const after = process.memoryUsage().heapUsed;
    sink.value = kept;
    return { count, ns: after - before };
  };
}

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

export const rows = {
  'derive and cancel': { unit: 'ns', count: 200_000, contenders: deriveAndCancel(0) },
  'derive and cancel, 10,000 siblings': {
    unit: 'ns',
    count: 20_000,
    slow: 2000,
    contenders: deriveAndCancel(10_000),
  },
  'derive with a timeout, release': {
    unit: 'ns',
    count: 100_000,
    slow: 2000,
    contenders: {
      floor: () => {
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
      curfew: () => {
        const [parent] = curfew.withCancel(root);
        return (count) => {
          for (let index = 0; index < count; index++) {
            const [ctx, cancel] = curfew.withTimeout(parent, 60_000);
            sink.value = ctx;
            cancel();
          }
          return count;
        };
      },
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
  'cancel 10,000 children with an onEnd each, per child': {
    unit: 'ns',
    repeat: 20,
    contenders: cancelWide(10_000),
  },
  'cancel a chain 1,000 deep, per level': { unit: 'ns', repeat: 200, contenders: cancelDeep(1000) },
  'cancel a chain 10,000 deep, per level': { unit: 'ns', repeat: 20, contenders: cancelDeep(10_000) },
  'is it done? no deadline': {
    unit: 'ns',
    count: 5_000_000,
    contenders: {
      floor: () => {
        const node = floorRoot();
        return (count) => {
          for (let index = 0; index < count; index++) {
            sink.value = node.done;
          }
          return count;
        };
      },
      curfew: () => {
        const [ctx] = curfew.withCancel(root);
        return (count) => {
          for (let index = 0; index < count; index++) {
            sink.value = ctx.err();
          }
          return count;
        };
      },
      native: () => {
        const { signal } = new AbortController();
        return (count) => {
          for (let index = 0; index < count; index++) {
            sink.value = signal.aborted;
          }
          return count;
        };
      },
    },
  },
  'is it done? with a deadline': {
    unit: 'ns',
    count: 1_000_000,
    contenders: {
      floor: () => (count) => {
        for (let index = 0; index < count; index++) {
          sink.value = performance.now() >= 1e12;
        }
        return count;
      },
      curfew: () => {
        const [ctx] = curfew.withTimeout(root, 3_600_000);
        return (count) => {
          for (let index = 0; index < count; index++) {
            sink.value = ctx.err();
          }
          return count;
        };
      },
    },
  },
  withValue: {
    unit: 'ns',
    count: 1_000_000,
    contenders: {
      floor: () => (count) => {
        for (let index = 0; index < count; index++) {
          sink.value = { key: KEYS[0], value: index, rest: root };
        }
        return count;
      },
      curfew: () => {
        const [ctx] = curfew.withCancel(root);
        return (count) => {
          for (let index = 0; index < count; index++) {
            sink.value = curfew.withValue(ctx, KEYS[0], index);
          }
          return count;
        };
      },
      native: () => (count) => {
        for (let index = 0; index < count; index++) {
          sink.value = ROOT_CONTEXT.setValue(KEYS[0], index);
        }
        return count;
      },
    },
  },
  'read a value at depth 10': {
    unit: 'ns',
    count: 2_000_000,
    contenders: {
      floor: () => {
        let chain;
        for (const key of KEYS) chain = { key, value: key, rest: chain };
        return (count) => {
          for (let index = 0; index < count; index++) {
            let at = chain;
            while (at.key !== KEYS[0]) at = at.rest;
            sink.value = at.value;
          }
          return count;
        };
      },
      curfew: () => {
        let ctx = curfew.withCancel(root)[0];
        for (const key of KEYS) ctx = curfew.withValue(ctx, key, key);
        return (count) => {
          for (let index = 0; index < count; index++) {
            sink.value = ctx.getValue(KEYS[0]);
          }
          return count;
        };
      },
      native: () => {
        let ctx = ROOT_CONTEXT;
        for (const key of KEYS) ctx = ctx.setValue(key, key);
        return (count) => {
          for (let index = 0; index < count; index++) {
            sink.value = ctx.getValue(KEYS[0]);
          }
          return count;
        };
      },
    },
  },
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
  'create one of 100,000 live deadlines': { unit: 'ns', contenders: liveDeadlines('create') },
  'clear one of 100,000 live deadlines': { unit: 'ns', contenders: liveDeadlines('clear') },
};
