import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setMaxListeners } from 'node:events';
import { background, onEnd, withSignal, withTimeout } from '@curfew/context';
import { fetch } from '@curfew/http';
import { useManualClock } from '../../../test/manual-clock';
import { closeAll, listen } from './servers';

afterEach(closeAll);

const CREATED = 'undici:request:create';
const FAILED = 'undici:request:error';
const silent = () => listen(() => undefined);

test('a deadline that is noticed while fetch itself runs rejects the call, and harms nobody', async () => {
  const url = await silent();
  const { clock, restore } = useManualClock();
  const [ctx] = withTimeout(background(), 100);
  // Aborted here, undici would fail an assertion outside of any promise, and take the process down.
  const notice = () => {
    clock.block(200);
    ctx.err();
  };
  subscribe(CREATED, notice);
  try {
    await expect(fetch(ctx, url)).rejects.toMatchObject({ name: 'TimeoutError' });
    expect(ctx.err()?.name).toBe('TimeoutError');
  } finally {
    unsubscribe(CREATED, notice);
    restore();
  }
});

test('a signal that has no limit of listeners, as one that a context follows, is a signal', async () => {
  const url = await listen((_request, response) => void response.end('ok'));
  const { signal } = new AbortController();
  setMaxListeners(0, signal);
  const [ctx] = withSignal(background(), new AbortController().signal);
  expect(await (await fetch(ctx, url, { signal })).text()).toBe('ok');
  const [following] = withSignal(background(), signal);
  expect(await (await fetch(following, url, { signal })).text()).toBe('ok');
});

test("a context that follows the call's own signal by way of another has ended before the call fails", async () => {
  const order: string[] = [];
  let arrived!: () => void;
  const reached = new Promise<void>((resolve) => (arrived = resolve));
  const url = await listen(() => arrived());
  const controller = new AbortController();
  const [ctx] = withSignal(background(), AbortSignal.any([controller.signal]));
  onEnd(ctx, () => void order.push('context'));
  const failed = () => void order.push('call');
  subscribe(FAILED, failed);
  try {
    const call = fetch(ctx, url, { signal: controller.signal });
    await reached;
    const reason = new Error('superseded');
    controller.abort(reason);
    // With its own reason all the same.
    await expect(call).rejects.toBe(reason);
    expect(order).toEqual(['context', 'call']);
  } finally {
    unsubscribe(FAILED, failed);
  }
});
