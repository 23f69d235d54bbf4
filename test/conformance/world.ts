import {
  background,
  from,
  merge,
  onEnd,
  afterFunc,
  reasonOf,
  withCancel,
  withoutCancel,
  withSignal,
  withTimeout,
  withValue,
} from '@curfew/context';
import type { Cancel, Context } from '@curfew/context';
import { retire, subscribe } from '@curfew/context/spi';
import { createContextKey } from '@opentelemetry/api';
import { useManualClock } from '../manual-clock';

export const SIGNALS = 3;
export const KEYS = ['k0', 'k1', 'k2'] as const;

export interface Derived<C> {
  readonly ctx: C;
  cancel(cause?: string): void;
}

/** What a context answers. Errors are told apart by identity: equal ones have equal `error`. */
export interface Answers {
  readonly reason: string | undefined;
  readonly error: unknown;
  readonly cause: string | undefined;
  readonly remaining: number;
  readonly values: unknown[];
}

/** All that the random scenarios do: once with Curfew, once with a naive model of it. */
export interface World<C> {
  readonly root: C;
  withCancel(parent: C, name: string): Derived<C>;
  withTimeout(parent: C, ms: number, name: string): Derived<C>;
  withSignal(parent: C, signal: number, name: string): Derived<C>;
  merge(values: C, other: C, name: string): Derived<C>;
  withValue(parent: C, key: (typeof KEYS)[number], value: unknown): C;
  withoutCancel(parent: C): C;
  retire(ctx: C): void;
  abort(signal: number, reason: unknown): void;
  advance(ms: number): void;
  block(ms: number): void;
  listen(ctx: C, when: 'now' | 'later', fn: () => void): () => boolean;
  /** Adds a listener to the signal of a context that has one. */
  onAbort(ctx: C, fn: () => void): void;
  /** Reads the signal; tells whether it is aborted. */
  aborted(ctx: C): boolean | undefined;
  ask(ctx: C): Answers;
  /** Runs what waits for a turn of its own. */
  drain(): Promise<void>;
  close(): void;
}

/** Tells of each start and each end, as the hooks do. */
export type Tell = (event: string) => void;

export function causeName(cause: unknown, error: unknown): string | undefined {
  return cause === undefined ? undefined : cause === error ? 'the error' : String(cause);
}

/** Curfew itself, with a manual clock. */
export function createCurfew(tell: Tell): World<Context> {
  const { clock, restore } = useManualClock();
  const controllers = Array.from({ length: SIGNALS }, () => new AbortController());
  const unsubscribe = subscribe({
    contextStarted: ({ node: { name } }) => tell(`start ${name}`),
    contextEnded({ node, ending: { outcome, origin, node: originating } }) {
      const own = originating === node || originating === undefined;
      tell(`end ${node.name} ${outcome} ${own ? origin : 'parent'}`);
    },
  });
  const derived = ([ctx, cancel]: [Context, Cancel]): Derived<Context> => ({ ctx, cancel });
  const signalOf = (signal: number) => (controllers[signal] as AbortController).signal;
  return {
    root: background(),
    withCancel: (parent, name) => derived(withCancel(parent, { name })),
    withTimeout: (parent, ms, name) => derived(withTimeout(parent, ms, { name, cause: `late ${name}` })),
    withSignal: (parent, signal, name) => derived(withSignal(parent, signalOf(signal), { name })),
    merge: (values, other, name) => derived(merge(values, other, { name })),
    withValue: (parent, key, value) => withValue(parent, createContextKey(key), value),
    withoutCancel,
    retire,
    abort: (signal, reason) => controllers[signal]?.abort(reason),
    advance: (ms) => clock.advance(ms),
    block: (ms) => clock.block(ms),
    listen: (ctx, when, fn) => (when === 'now' ? onEnd : afterFunc)(ctx, fn),
    onAbort: (ctx, fn) => ctx.signal?.addEventListener('abort', fn),
    aborted: (ctx) => ctx.signal?.aborted,
    ask(ctx) {
      const error = ctx.err();
      const values = KEYS.map((key) => from(ctx).getValue(createContextKey(key)));
      return {
        reason: reasonOf(error),
        error,
        cause: causeName(ctx.cause(), error),
        remaining: ctx.remaining(),
        values,
      };
    },
    drain: () => new Promise((resolve) => setImmediate(resolve)),
    close() {
      unsubscribe();
      clock.advance(1e6);
      restore();
    },
  };
}
