import { background, from, onEnd, todo, withCancel } from '@curfew/context';
import { NODE_KEY, nodeOf, subscribe } from '@curfew/context/spi';
import { context, createContextKey, ROOT_CONTEXT } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { row } from './row';
import { collected, registrations } from './support';

beforeAll(() => context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable()));
afterAll(() => context.disable());

row('G1', "Background never ends, has no deadline and no value; OpenTelemetry's root is the same", () => {
  for (const root of [background(), from(ROOT_CONTEXT)]) {
    expect([root.signal, root.err(), root.cause(), root.deadline()]).toEqual(Array(4).fill(undefined));
    expect(root.remaining()).toBe(Infinity);
    expect(root.getValue(createContextKey('any'))).toBeUndefined();
    expect(() => root.throwIfDone()).not.toThrow();
    expect(root.toString()).toBe('context.Background');
  }
});

row('G2', 'TODO is a root as well, but one that can be told and counted', () => {
  expect([todo().signal, todo().err(), todo().deadline()]).toEqual([undefined, undefined, undefined]);
  expect(todo().toString()).toBe('context.TODO');
  expect(todo()).not.toBe(background());
  expect(todo().getValue(NODE_KEY)).toMatchObject({ root: 'todo' });
  const broken: string[] = [];
  const stop = subscribe({ chainBroken: ({ cause }) => void broken.push(cause) });
  const [request] = withCancel(background());
  context.with(request, () => {
    withCancel(todo());
    withCancel(background());
  });
  stop();
  expect(broken).toEqual(['todo', 'background']);
});

row('G3', 'a root is the same object at each call', () => {
  expect(background()).toBe(background());
  expect(todo()).toBe(todo());
});

row(
  'G4',
  'deriving from a root registers nothing: a dropped child is collected without a cancel',
  async () => {
    for (const root of [background(), todo()]) {
      const [child, cancel] = withCancel(root);
      expect(nodeOf(child)?.parent).toBeUndefined();
      expect(registrations(root)).toBe(0);
      cancel();
      expect(root.err()).toBeUndefined();
    }
    const dropped = () => {
      const [child] = withCancel(background());
      onEnd(child, () => undefined);
      return new WeakRef(child);
    };
    expect(await collected(dropped)).toBe(true);
  },
);
