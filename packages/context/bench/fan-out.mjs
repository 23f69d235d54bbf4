import * as curfew from '@curfew/context';
import { byHand, floorNode, floorRoot, noop, sink, timed } from './by-hand.mjs';

const root = curfew.background();

/** Trees whose every context has a callback at its end; each adds what `child` makes under a top, `size` of them. */
const SHAPES = {
  /** Children of one context. */
  wide: (width) => ({
    size: width,
    grow(top, child) {
      for (let index = 0; index < width; index++) child(top);
    },
  }),
  /** Children of as many contexts. */
  square: (width) => ({
    size: width + width * width,
    grow(top, child) {
      for (let index = 0; index < width; index++) {
        const parent = child(top);
        for (let inner = 0; inner < width; inner++) child(parent);
      }
    },
  }),
  /** Each the child of the one before. */
  deep: (depth) => ({
    size: depth,
    grow(top, child) {
      let parent = top;
      for (let index = 0; index < depth; index++) parent = child(parent);
    },
  }),
};

/** Ends `trees` of one shape; a small one alone would be less than a reading of the clock. */
function fanOut({ size, grow }, trees) {
  const ended = (make) => () => () => {
    const cancels = Array.from({ length: trees }, make);
    return timed(size * trees, () => {
      for (const cancel of cancels) cancel();
    });
  };
  return {
    floor: ended(() => {
      const nodes = [];
      grow(floorRoot(), (parent) => {
        const node = floorNode(parent);
        node.listener = noop;
        nodes.push(node);
        return node;
      });
      return () => {
        for (const node of nodes) {
          node.done = true;
          node.listener();
        }
      };
    }),
    curfew: ended(() => {
      const [top, cancel] = curfew.withCancel(root);
      grow(top, (parent) => {
        const [ctx] = curfew.withCancel(parent);
        curfew.onEnd(ctx, noop);
        return ctx;
      });
      return cancel;
    }),
    native: ended(() => {
      const top = new AbortController();
      grow(top.signal, (parent) => {
        const { signal } = byHand(parent);
        signal.addEventListener('abort', noop);
        return signal;
      });
      return () => top.abort('done');
    }),
  };
}

/** Many callbacks at the end of one context. */
function callbacks(count) {
  return {
    floor: () => () => {
      const fns = Array.from({ length: count }, () => noop);
      return timed(count, () => {
        for (const fn of fns) fn();
      });
    },
    curfew: () => () => {
      const [ctx, cancel] = curfew.withCancel(root);
      for (let index = 0; index < count; index++) curfew.onEnd(ctx, noop);
      return timed(count, cancel);
    },
    native: () => () => {
      const { signal, cancel } = byHand(new AbortController().signal);
      sink.value = signal;
      for (let index = 0; index < count; index++) signal.addEventListener('abort', () => noop());
      return timed(count, cancel);
    },
  };
}

/** Ending trees of other shapes than one wide one, a callback at the end of each context. */
export const fanOutRows = {
  'cancel 10 children with an onEnd each, per child': {
    unit: 'ns',
    repeat: 20,
    contenders: fanOut(SHAPES.wide(10), 1000),
  },
  'cancel 1,000 children with an onEnd each, per child': {
    unit: 'ns',
    repeat: 20,
    contenders: fanOut(SHAPES.wide(1000), 10),
  },
  'cancel 100 children of 100 children, an onEnd each, per child': {
    unit: 'ns',
    repeat: 20,
    contenders: fanOut(SHAPES.square(100), 1),
  },
  'cancel a chain 1,000 deep with an onEnd each, per level': {
    unit: 'ns',
    repeat: 20,
    contenders: fanOut(SHAPES.deep(1000), 10),
  },
  'cancel one context with 10,000 onEnd, per callback': {
    unit: 'ns',
    repeat: 20,
    contenders: callbacks(10_000),
  },
};
