import {
  afterFunc,
  background,
  isCanceled,
  isDeadlineExceeded,
  merge,
  onEnd,
  race,
  withCancel,
  withDeadline,
  withTimeout,
  withValue,
  type Context,
} from '@curfew/context';
import { createContextKey } from '@opentelemetry/api';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { row } from './row';
import { deferred, manualClock, registrations } from './support';

const clock = manualClock();

row('G112', 'a generator stops when its consumer cancels', async () => {
  const said: (number | string)[] = [];
  async function* numbers(ctx: Context) {
    try {
      for (let n = 1; ctx.err() === undefined; n++) yield n;
    } finally {
      said.push('stopped');
    }
  }
  const [ctx, cancel] = withCancel(background());
  for await (const n of numbers(ctx)) {
    said.push(n);
    if (n === 5) cancel();
  }
  expect(said).toEqual([1, 2, 3, 4, 5, 'stopped']);
});

row('G113', 'a slow operation is given up at the deadline', async () => {
  const slow = new Promise<never>(() => undefined);
  const contexts = [withTimeout(background(), 50)[0], withDeadline(background(), clock.wallNow() + 50)[0]];
  const results = contexts.map((ctx) => race(ctx, slow).catch((error: Error) => error.message));
  clock.advance(50);
  expect(await Promise.all(results)).toEqual(['context deadline exceeded', 'context deadline exceeded']);
});

row('G114', 'a value is found, or not', () => {
  const [language, color] = [createContextKey('language'), createContextKey('color')];
  const ctx = withValue(background(), language, 'TypeScript');
  expect([ctx.getValue(language), ctx.getValue(color)]).toEqual(['TypeScript', undefined]);
});

/** A condition that wakes all who wait for it. */
class Condition {
  private waiters: (() => void)[] = [];
  wait(): Promise<void> {
    return new Promise((resolve) => this.waiters.push(resolve));
  }
  broadcast(): void {
    for (const wake of this.waiters.splice(0)) wake();
  }
}

row('G115', 'four who wait on a condition are woken by afterFunc and all see the deadline', async () => {
  const condition = new Condition();
  const waitOn = async (ctx: Context, ready: () => boolean) => {
    const stop = afterFunc(ctx, () => condition.broadcast());
    try {
      while (!ready()) {
        await condition.wait();
        if (ctx.err() !== undefined) return ctx.err();
      }
      return undefined;
    } finally {
      stop();
    }
  };
  const waits = Array.from({ length: 4 }, () => waitOn(withTimeout(background(), 50)[0], () => false));
  clock.advance(50);
  const errors = await Promise.all(waits);
  expect(errors.map(isDeadlineExceeded)).toEqual([true, true, true, true]);
});

/** Reads from a socket until the context ends; the socket can be read again after. */
async function read(ctx: Context, socket: Socket): Promise<string> {
  const data = deferred<string>();
  const broken = deferred();
  const heard = (chunk: Buffer) => data.resolve(chunk.toString());
  socket.once('data', heard);
  const stop = afterFunc(ctx, () => {
    socket.off('data', heard);
    socket.pause();
    data.reject(ctx.err());
    broken.resolve();
  });
  try {
    return await data.promise;
  } finally {
    if (!stop()) {
      await broken.promise;
      socket.resume();
    }
  }
}

row(
  'G116',
  'afterFunc breaks a read on a socket, which is put right once the function has finished',
  async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const accepted = once(server, 'connection') as Promise<[Socket]>;
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    const [peer] = await accepted;
    const [ctx, cancel] = withCancel(background());
    const result = read(ctx, socket).catch(isCanceled);
    cancel();
    expect(await result).toBe(true);
    const [live] = withCancel(background());
    const next = read(live, socket);
    peer.write('hello');
    expect(await next).toBe('hello');
    expect(registrations(live)).toBe(0);
    socket.destroy();
    peer.destroy();
    server.close();
    await once(server, 'close');
  },
);

row(
  'G117',
  'merge has the values of one and is cancelled by either, with its cause; its end unregisters it',
  () => {
    const key = createContextKey('key');
    const made = () => {
      const [ctx1, cancel1] = withCancel(withValue(background(), key, 'of one'));
      const [ctx2, cancel2] = withCancel(withValue(background(), key, 'of two'));
      const [merged, cancel] = merge(ctx1, ctx2);
      return { ctx1, ctx2, merged, cancel, cancel1, cancel2 };
    };
    const byOne = made();
    byOne.cancel1(new Error('ctx1 canceled'));
    const byTwo = made();
    byTwo.cancel2(new Error('ctx2 canceled'));
    expect([byOne, byTwo].map(({ merged }) => (merged.cause() as Error).message)).toEqual([
      'ctx1 canceled',
      'ctx2 canceled',
    ]);
    expect([byOne.ctx2.err(), byTwo.ctx1.err()]).toEqual([undefined, undefined]);
    const { ctx1, ctx2, merged, cancel } = made();
    expect(merged.getValue(key)).toBe('of one');
    expect([registrations(ctx1), registrations(ctx2)]).toEqual([1, 1]);
    const told = jest.fn();
    onEnd(merged, told);
    cancel();
    expect([registrations(ctx1), registrations(ctx2), told.mock.calls.length]).toEqual([0, 0, 1]);
  },
);
