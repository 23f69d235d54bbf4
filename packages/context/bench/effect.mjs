// The rows in the hands of `effect`: a Scope is its nearest to a cancellable context, its finalizers to callbacks, its
// Context to values.
import { Context, Effect, Exit, Scope } from 'effect';
import { sink, timed } from './by-hand.mjs';

const close = (scope) => Effect.runSync(Scope.close(scope, Exit.void));

export const effectDerive = () => {
  const parent = Scope.makeUnsafe();
  return (count) => {
    for (let index = 0; index < count; index++) {
      const child = Scope.forkUnsafe(parent);
      sink.value = child;
      close(child);
    }
    return count;
  };
};

export const effectWide = (width) => () => () => {
  const parent = Scope.makeUnsafe();
  for (let index = 0; index < width; index++) {
    Effect.runSync(Scope.addFinalizer(Scope.forkUnsafe(parent), Effect.void));
  }
  return timed(width, () => close(parent));
};

const SERVICES = Array.from({ length: 10 }, (_, index) => Context.Service(`bench.${index}`));

export const effectValue = () => {
  const base = Context.empty();
  return (count) => {
    for (let index = 0; index < count; index++) sink.value = Context.add(base, SERVICES[0], index);
    return count;
  };
};

export const effectValueAtDepth = () => {
  let context = Context.empty();
  for (const service of SERVICES) context = Context.add(context, service, service);
  return (count) => {
    for (let index = 0; index < count; index++) sink.value = Context.get(context, SERVICES[0]);
    return count;
  };
};
