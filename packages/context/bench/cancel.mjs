import * as curfew from '@curfew/context';
import { byHand, floorNode, floorRoot, noop, sink, timed } from './by-hand.mjs';
import { effectWide } from './effect.mjs';

const root = curfew.background();

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
    effect: effectWide(width),
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

/** Ending many at once. */
export const cancelRows = {
  'cancel 10,000 children with an onEnd each, per child': {
    unit: 'ns',
    repeat: 20,
    contenders: cancelWide(10_000),
  },
  'cancel a chain 1,000 deep, per level': { unit: 'ns', repeat: 200, contenders: cancelDeep(1000) },
  'cancel a chain 10,000 deep, per level': { unit: 'ns', repeat: 20, contenders: cancelDeep(10_000) },
};
