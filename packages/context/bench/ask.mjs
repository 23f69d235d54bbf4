import { createRequire } from 'node:module';
import * as curfew from '@curfew/context';
import { floorRoot, sink } from './by-hand.mjs';
import { effectValue, effectValueAtDepth } from './effect.mjs';

const require = createRequire(import.meta.url);
const { createContextKey, ROOT_CONTEXT } = require('@opentelemetry/api');

const root = curfew.background();
const KEYS = Array.from({ length: 10 }, (_, index) => createContextKey(`bench.${index}`));

/** Asking a context. */
export const askRows = {
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
      effect: effectValue,
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
      effect: effectValueAtDepth,
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
};
