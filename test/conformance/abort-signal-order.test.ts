import { background, isCanceled, merge, withCancel, withSignal, type Context } from '@curfew/context';
import { row } from './row';

type Link = (a: Context, b: Context) => Context;

/** Two contexts and what is merged of them. */
function merged(link: Link) {
  const [a, cancelA] = withCancel(background());
  const [b, cancelB] = withCancel(background());
  return { ctx: link(a, b), a, b, cancelA, cancelB };
}

/** The order of events on a source, two dependents, one more of the source and one of the first dependent. */
function orderOfEvents(): string {
  const [source, cancel] = withCancel(background());
  const [first] = withCancel(source);
  const [second] = withCancel(source);
  const contexts = [source, first, second, withCancel(source)[0], withCancel(first)[0]];
  let order = '';
  contexts.forEach(({ signal }, index) => signal.addEventListener('abort', () => (order += index)));
  cancel();
  return order;
}

row(
  'S20',
  'events fire on the source first, then on its dependents in order of making: 01234',
  () => expect(orderOfEvents()).toBe('01234'),
  () => expect(orderOfEvents()).toBe('01423'),
);

/** Both orders in which a context can be merged with a source. */
const first: Link = (source, other) => merge(source, other)[0];
const second: Link = (source, other) => merge(other, source)[0];

/** Which dependents of a source are done in the first listener of its event: by their signals as held, and asked anew. */
function doneInListener() {
  const [source, cancel] = withCancel(background());
  const [other] = withCancel(background());
  const dependents = [withCancel(source)[0], first(source, other), second(source, other)];
  const held = dependents.map((ctx) => ctx.signal);
  const done: Record<'held' | 'born' | 'asked', unknown[]> = { held: [], born: [], asked: [] };
  source.signal.addEventListener('abort', () => {
    done.held = held.map((signal) => signal?.aborted);
    const born = [
      withCancel(source)[0],
      first(source, other),
      second(source, other),
      withCancel(dependents[0]!)[0],
    ];
    done.born = born.map((ctx) => ctx.signal?.aborted);
    done.asked = dependents.map((ctx) => ctx.err() !== undefined && ctx.signal?.aborted);
  });
  cancel();
  return done;
}

row(
  'S21',
  'dependents are marked aborted before any event fires; one that is made in a listener is born aborted',
  () => {
    const { held, born } = doneInListener();
    expect(born).toEqual([true, true, true, true]);
    expect(held).toEqual([true, true, true]);
  },
  () => {
    const { born, asked } = doneInListener();
    expect(born).toEqual([true, true, true, true]);
    expect(asked).toEqual([true, true, false]);
  },
);

/** The causes that a merged context tells where the second source is cancelled in a listener of the first. */
function reentrantCauses(link: Link): unknown[] {
  const { ctx, a, cancelA, cancelB } = merged(link);
  const causes: unknown[] = [];
  ctx.signal?.addEventListener('abort', () => causes.push(ctx.cause()));
  a.signal.addEventListener('abort', () => cancelB('second'));
  cancelA('first');
  return causes;
}

row(
  'S22',
  "the second source aborted in the first's listener: the dependent fires once, for the first",
  () => expect([reentrantCauses(first), reentrantCauses(second)]).toEqual([['first'], ['first']]),
  () => expect([reentrantCauses(first), reentrantCauses(second)]).toEqual([['first'], ['second']]),
);

row('S23', 'dependents share the very error of the source, made before or after', () => {
  const controller = new AbortController();
  const [before] = withSignal(background(), controller.signal);
  const below = withCancel(before)[0];
  controller.abort();
  const [after] = withSignal(background(), controller.signal);
  expect(below.signal.reason).toBe(before.signal.reason);
  expect([before.cause(), below.cause(), after.cause()]).toEqual(Array(3).fill(controller.signal.reason));
});

row('S24', 'a dependent of a dependent made in a listener of the source does not crash', () => {
  const [source, cancel] = withCancel(background());
  const [b] = merge(source, background());
  const made: Context[] = [];
  source.signal.addEventListener('abort', () =>
    made.push(merge(b, background())[0], withSignal(background(), b.signal)[0]),
  );
  cancel();
  expect(made.map((ctx) => [ctx.signal?.aborted, isCanceled(ctx.err())])).toEqual([
    [true, true],
    [true, true],
  ]);
});
