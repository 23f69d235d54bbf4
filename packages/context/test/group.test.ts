import { background, group } from '@curfew/context';
import { context } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { AsyncLocalStorage } from 'node:async_hooks';

beforeAll(() => context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable()));
afterAll(() => context.disable());

test('a hundred thousand queued tasks that throw at once are all run, and `wait` rejects with the first error', async () => {
  const [tasks, ctx] = group(background(), { limit: 1 });
  let ran = 0;
  tasks.go(() => Promise.resolve());
  for (let n = 0; n < 100_000; n++) {
    tasks.go(() => {
      throw new Error(`task ${ran++}`);
    });
  }
  await expect(tasks.wait()).rejects.toThrow('task 0');
  expect(ran).toBe(100_000);
  expect((ctx.cause() as Error).message).toBe('task 0');
});

test('a task that throws at once cancels the group at once, and gives its place back', async () => {
  const [tasks, ctx] = group(background(), { limit: 1 });
  tasks.go(() => {
    throw new Error('at once');
  });
  expect((ctx.cause() as Error).message).toBe('at once');
  const ran: string[] = [];
  tasks.go(() => void ran.push('queued'));
  await expect(tasks.wait()).rejects.toThrow('at once');
  expect([ran, tasks.tryGo(() => undefined)]).toEqual([['queued'], true]);
});

test('never more tasks run than the limit allows, whoever asks while one hands its place on', async () => {
  const [tasks] = group(background(), { limit: 1 });
  let running = 0;
  let most = 0;
  const task = async () => {
    most = Math.max(most, ++running);
    await Promise.resolve();
    running--;
  };
  for (let n = 0; n < 5; n++) tasks.go(task);
  for (let turn = 0; turn < 50; turn++) {
    await Promise.resolve();
    tasks.tryGo(task);
  }
  await tasks.wait();
  expect(most).toBe(1);
});

test('a queued task runs in the asynchronous context of whoever queued it, not of the task that made room', async () => {
  const user = new AsyncLocalStorage<string>();
  const [tasks] = group(background(), { limit: 1 });
  const seen: (string | undefined)[] = [];
  const see = () => Promise.resolve().then(() => void seen.push(user.getStore()));
  for (const name of ['ada', 'ben', 'cleo']) user.run(name, () => tasks.go(see));
  tasks.go(see);
  await tasks.wait();
  expect(seen).toEqual(['ada', 'ben', 'cleo', undefined]);
});
