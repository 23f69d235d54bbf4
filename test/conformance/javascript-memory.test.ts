import {
  background,
  from,
  onEnd,
  todo,
  withCancel,
  withoutCancel,
  withSignal,
  withTimeout,
  withValue,
  type Cancel,
} from '@curfew/context';
import { nodeOf } from '@curfew/context/spi';
import { createContextKey, ROOT_CONTEXT } from '@opentelemetry/api';
import { getEventListeners } from 'node:events';
import { row } from './row';
import { collected, collectGarbage, manualClock, registrations, spawned } from './support';

manualClock();
const key = createContextKey('key');
const HOUR = 3_600_000;

row('J26', 'an abandoned child with a listener is kept by its parent and is told', async () => {
  const [parent, cancel] = withCancel(background());
  const said: string[] = [];
  const abandon = () => {
    onEnd(withCancel(parent)[0], () => said.push('child'));
    onEnd(withTimeout(parent, HOUR)[0], () => said.push('timed'));
  };
  abandon();
  await collectGarbage();
  cancel();
  expect(said).toEqual(['child', 'timed']);
});

/** Whether a value is collected while a context with a live deadline is abandoned around it. */
function collectedAt(place: 'beneath' | 'above', end?: (cancel: Cancel) => void): Promise<boolean> {
  return collected(() => {
    const value = { big: new Array(1000).fill(place) };
    const [ctx, cancel] = withTimeout(
      place === 'beneath' ? withValue(background(), key, value) : background(),
      HOUR,
    );
    if (place === 'above') withValue(ctx, key, value);
    end?.(cancel);
    return new WeakRef(value);
  });
}

row(
  'J27',
  'a live deadline keeps its node, and not the values of its context',
  async () => expect(await collectedAt('beneath')).toBe(true),
  async () => {
    expect(await collectedAt('beneath')).toBe(false);
    expect(await collectedAt('above')).toBe(true);
    expect(await collectedAt('beneath', (cancel) => cancel())).toBe(true);
  },
);

row(
  'J28',
  'a foreign signal keeps nothing of what has ended; many listeners on our own cause no warning',
  async () => {
    const { signal } = new AbortController();
    const child = () => {
      const [ctx, cancel] = withSignal(background(), signal);
      cancel();
      return new WeakRef(ctx);
    };
    expect(await collected(child)).toBe(true);
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
    const { status, stderr } = spawned(`
    const [ctx, cancel] = c.withCancel(c.background());
    for (let n = 0; n < 50; n++) ctx.signal.addEventListener('abort', () => undefined);
  `);
    expect([status, stderr]).toEqual([0, '']);
  },
);

row(
  'J29',
  'no abort is lost to garbage collection: a signal with a listener fires, whatever is held of it',
  async () => {
    const said: string[] = [];
    const abandon = () => {
      const [top, cancel] = withCancel(background());
      const controller = new AbortController();
      const [linked] = withSignal(withCancel(top)[0], controller.signal);
      withCancel(linked)[0].signal.addEventListener('abort', () => said.push('by the tree'));
      const [other] = withSignal(background(), controller.signal);
      withCancel(other)[0].signal.addEventListener('abort', () => said.push('by the signal'));
      return { cancel, controller };
    };
    const { cancel, controller } = abandon();
    for (let round = 0; round < 3; round++) await collectGarbage();
    cancel();
    controller.abort();
    expect(said).toEqual(['by the tree', 'by the signal']);
  },
);

row('J30', 'an ended context lets go of children, callbacks, timer and foreign listener', async () => {
  const { signal } = new AbortController();
  const [parent] = withTimeout(background(), HOUR, { cause: 'kept' });
  const [ctx, cancel] = withSignal(parent, signal);
  const captured = () => {
    const data = { data: true };
    onEnd(ctx, () => data.data);
    onEnd(withCancel(ctx)[0], () => data.data);
    ctx.signal.addEventListener('abort', () => data.data, { once: true });
    cancel('why');
    return new WeakRef(data);
  };
  expect(await collected(captured)).toBe(true);
  expect(registrations(ctx)).toBe(0);
  expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  expect(nodeOf(ctx)).toMatchObject({ unlink: undefined, firstCallback: undefined, firstChild: undefined });
  expect([ctx.cause(), ctx.signal.aborted, ctx.deadline()]).toEqual(['why', true, parent.deadline()]);
});

row('J31', 'a context that can never end has no signal, which others take as none', async () => {
  const roots = [background(), todo(), from(ROOT_CONTEXT), withoutCancel(withCancel(background())[0])];
  expect(roots.map(({ signal }) => signal)).toEqual([undefined, undefined, undefined, undefined]);
  const response = await fetch('data:text/plain,ok', { signal: background().signal ?? null });
  expect(await response.text()).toBe('ok');
});
