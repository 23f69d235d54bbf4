import { createContextKey } from '@opentelemetry/api';
import { background, withCancel, withValue } from '@curfew/context';

// What each context costs, by counts that no load of the machine moves.

test.each([
  ['a node', withCancel(background())[0]],
  ['a value', withValue(background(), createContextKey('price'), 1)],
])('%s has each of its fields written once', (_what, ctx) => {
  const built = String(ctx.constructor);
  const bare = [...built.matchAll(/^\s*(\w+);$/gm)].map(([, name]) => name);
  expect([built.startsWith('class'), bare]).toEqual([true, []]);
});
