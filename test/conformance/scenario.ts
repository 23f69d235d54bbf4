import fc from 'fast-check';
import { KEYS, SIGNALS, type Tell, type World } from './world';

/** What a listener does when it is called. `at` picks among what there is by then. */
interface Reaction {
  readonly does:
    'nothing' | 'cancel' | 'derive' | 'ask' | 'read' | 'listen' | 'stop' | 'retire' | 'abort' | 'block';
  readonly at: number;
}

/** One step of a scenario; `a` and `b` pick contexts, `n` is a number of its own. */
interface Step {
  readonly does:
    | 'withCancel'
    | 'withTimeout'
    | 'withSignal'
    | 'merge'
    | 'withValue'
    | 'withoutCancel'
    | 'retire'
    | 'cancel'
    | 'release'
    | 'abort'
    | 'advance'
    | 'block'
    | 'listen'
    | 'onAbort'
    | 'stop'
    | 'ask';
  readonly a: number;
  readonly b: number;
  readonly n: number;
  readonly reaction: Reaction;
}

const small = fc.nat(1000);
const oneOf = <T extends string>(weights: Readonly<Record<T, number>>): fc.Arbitrary<T> =>
  fc.oneof(
    ...Object.entries<number>(weights).map(([value, weight]) => ({
      weight,
      arbitrary: fc.constant(value as T),
    })),
  );

const reaction: fc.Arbitrary<Reaction> = fc.record({
  does: oneOf({
    nothing: 4,
    cancel: 3,
    derive: 2,
    ask: 2,
    read: 1,
    listen: 1,
    stop: 1,
    retire: 1,
    abort: 1,
    block: 1,
  }),
  at: small,
});

const step: fc.Arbitrary<Step> = fc.record({
  does: oneOf({
    withCancel: 5,
    withTimeout: 5,
    withSignal: 2,
    merge: 2,
    withValue: 2,
    withoutCancel: 1,
    retire: 1,
    cancel: 2,
    release: 2,
    abort: 1,
    advance: 2,
    block: 1,
    listen: 6,
    onAbort: 4,
    stop: 1,
    ask: 1,
  }),
  a: small,
  b: small,
  n: fc.nat(60),
  reaction,
});

export const scenarios = fc.array(step, { minLength: 1, maxLength: 80, size: 'max' });

/** Plays a scenario in a world; returns all that was told and seen, in order. */
export async function play<C>(steps: readonly Step[], create: (tell: Tell) => World<C>): Promise<string[]> {
  const log: string[] = [];
  const world = create((event) => log.push(event));
  const contexts: C[] = [world.root];
  const cancels: ((cause?: string) => void)[] = [];
  const stops: (() => boolean)[] = [];
  const errors: unknown[] = [];
  let names = 0;
  let listeners = 0;
  let over = false;

  const pick = <T>(list: readonly T[], at: number) => list[at % list.length] as T;
  const add = ({ ctx, cancel }: { ctx: C; cancel(cause?: string): void }) => {
    contexts.push(ctx);
    cancels.push(cancel);
  };
  const name = () => `n${names++}`;
  const ask = (at: number) => {
    const { reason, error, cause, remaining, values } = world.ask(pick(contexts, at));
    if (error !== undefined && !errors.includes(error)) errors.push(error);
    const which = error === undefined ? '' : `#${errors.indexOf(error)}`;
    log.push(`context ${at % contexts.length}: ${reason}${which} ${cause} ${remaining} ${String(values)}`);
  };
  // Most signals abort with a cause, one as AbortSignal.timeout does.
  const abort = (at: number) => {
    const signal = at % SIGNALS;
    world.abort(signal, signal === 0 ? new DOMException('timed out', 'TimeoutError') : `signal ${signal}`);
  };

  const listener = (kind: string, { does, at }: Reaction) => {
    const id = `${kind} ${listeners++}`;
    return () => {
      if (over) return;
      log.push(id);
      if (does === 'cancel' && cancels.length > 0) pick(cancels, at)(id);
      if (does === 'derive') add(world.withTimeout(pick(contexts, at), at % 40, name()));
      if (does === 'ask') ask(at);
      if (does === 'read') log.push(`aborted ${world.aborted(pick(contexts, at))}`);
      if (does === 'listen') stops.push(world.listen(pick(contexts, at), 'now', () => log.push(`in ${id}`)));
      if (does === 'stop' && stops.length > 0) log.push(`stopped ${pick(stops, at)()}`);
      if (does === 'retire') world.retire(pick(contexts, at));
      if (does === 'abort') abort(at);
      if (does === 'block') world.block(at % 30);
    };
  };

  const take = ({ does, a, b, n, reaction }: Step) => {
    const ctx = pick(contexts, a);
    if (does === 'withCancel') add(world.withCancel(ctx, name()));
    if (does === 'withTimeout') add(world.withTimeout(ctx, n - 2, name()));
    if (does === 'withSignal') add(world.withSignal(ctx, n % SIGNALS, name()));
    if (does === 'merge') add(world.merge(ctx, pick(contexts, b), name()));
    if (does === 'withValue') contexts.push(world.withValue(ctx, pick(KEYS, b), n));
    if (does === 'withoutCancel') contexts.push(world.withoutCancel(ctx));
    if (does === 'retire') world.retire(ctx);
    if (does === 'cancel' && cancels.length > 0) pick(cancels, a)(`cause ${n}`);
    if (does === 'release' && cancels.length > 0) pick(cancels, a)();
    if (does === 'abort') abort(n);
    if (does === 'advance') world.advance(n);
    if (does === 'block') world.block(n);
    if (does === 'listen') {
      stops.push(world.listen(ctx, n % 3 === 0 ? 'later' : 'now', listener('listener', reaction)));
    }
    if (does === 'onAbort') world.onAbort(ctx, listener('event', reaction));
    if (does === 'stop' && stops.length > 0) log.push(`stopped ${pick(stops, a)()}`);
    if (does === 'ask') ask(a);
  };

  try {
    steps.forEach((each, index) => {
      log.push(`step ${index} ${each.does}`);
      take(each);
    });
    await world.drain();
    contexts.forEach((ctx, index) => {
      ask(index);
      log.push(`aborted ${world.aborted(ctx)}`);
    });
    await world.drain();
    // A copy: what closing the world tells is not part of it.
    return [...log];
  } finally {
    over = true;
    world.close();
  }
}
