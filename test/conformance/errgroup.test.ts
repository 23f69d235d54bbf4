import { background, group, isCanceled, run, withCancel, withTimeout, type Group } from '@curfew/context';
import { currentOperation } from '@curfew/context/spi';
import { context, createContextKey } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { row } from './row';
import { deferred, manualClock, spawned, thrown, turn } from './support';

manualClock();
beforeAll(() => context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable()));
afterAll(() => context.disable());

const first = new Error('first');
const second = new Error('second');

/** The error that a group waits with, if any. */
const outcome = (tasks: Group) =>
  tasks.wait().then(
    () => undefined,
    (error: unknown) => error,
  );

const settle = (tasks: Group, results: readonly (Error | undefined)[]) => {
  for (const error of results)
    tasks.go(() => (error === undefined ? Promise.resolve() : Promise.reject(error)));
};

const TABLE: { results: (Error | undefined)[]; expected: Error | undefined }[] = [
  { results: [], expected: undefined },
  { results: [undefined], expected: undefined },
  { results: [first], expected: first },
  { results: [first, undefined], expected: first },
  { results: [first, undefined, second], expected: first },
];

row(
  'E1',
  'a group of the background is usable without more: no limit, and nobody else is cancelled',
  async () => {
    const [tasks] = group(background());
    let done = 0;
    for (let n = 0; n < 1000; n++) {
      tasks.go(async () => {
        await turn();
        done++;
      });
    }
    settle(tasks, [first]);
    expect(await outcome(tasks)).toBe(first);
    expect([done, background().err()]).toEqual([1000, undefined]);
  },
);

row('E2', 'a group comes with a derived context', () => {
  const [parent] = withCancel(background());
  const [, ctx] = group(parent, { name: 'fetch' });
  expect(ctx.toString()).toBe('context.Background.WithCancel.WithCancel');
});

row('E3', 'the first error in time wins, later ones are dropped and never unhandled', async () => {
  for (const { results, expected } of TABLE) {
    const [tasks] = group(background());
    settle(tasks, results);
    expect(await outcome(tasks)).toBe(expected);
  }
  const [tasks] = group(background());
  const [slow, fast] = [deferred(), deferred()];
  tasks.go(() => slow.promise);
  tasks.go(() => fast.promise);
  fast.reject(second);
  await turn();
  slow.reject(first);
  expect(await outcome(tasks)).toBe(second);
  const { status, lines } = spawned(`
    const [tasks] = c.group(c.background());
    for (const name of ['one', 'two', 'three']) tasks.go(async () => { throw new Error(name); });
    setImmediate(() => tasks.wait().catch((error) => console.log(error.message)));
  `);
  expect([status, lines]).toEqual([0, ['one']]);
});

row('E4', 'wait waits for all tasks, even after an error', async () => {
  const [tasks] = group(background());
  const slow = deferred();
  let waited = false;
  settle(tasks, [first]);
  tasks.go(() => slow.promise);
  const result = outcome(tasks).finally(() => (waited = true));
  await turn();
  expect(waited).toBe(false);
  slow.resolve();
  expect(await result).toBe(first);
});

row('E5', 'the context ends with the first error or when wait returns, on success too', async () => {
  for (const { results } of TABLE) {
    const [tasks, ctx] = group(background());
    settle(tasks, results);
    await outcome(tasks);
    expect(isCanceled(ctx.err())).toBe(true);
  }
  const [tasks, ctx] = group(background());
  const slow = deferred();
  tasks.go(() => slow.promise);
  settle(tasks, [first]);
  await turn();
  expect(ctx.cause()).toBe(first);
  slow.resolve();
  await outcome(tasks);
});

row('E6', 'the cause is the first error, or Canceled when all succeeded', async () => {
  for (const { results, expected } of TABLE) {
    const [tasks, ctx] = group(background());
    settle(tasks, results);
    await outcome(tasks);
    expect(ctx.cause()).toBe(expected ?? ctx.err());
  }
});

row('E7', 'go beyond the limit queues in order and returns at once', async () => {
  const [tasks] = group(background(), { limit: 1 });
  const gate = deferred();
  const said: number[] = [];
  for (const n of [1, 2, 3]) {
    const returned: unknown = tasks.go(async () => {
      said.push(n);
      await gate.promise;
    });
    expect(returned).toBeUndefined();
  }
  expect(said).toEqual([1]);
  gate.resolve();
  await tasks.wait();
  expect(said).toEqual([1, 2, 3]);
});

row('E8', 'tryGo starts only below the limit and never past those who queue', async () => {
  const [tasks] = group(background(), { limit: 42 });
  const gate = deferred();
  const wait = () => gate.promise;
  expect(Array.from({ length: 43 }, () => tasks.tryGo(wait))).toEqual([
    ...Array<boolean>(42).fill(true),
    false,
  ]);
  const started: string[] = [];
  tasks.go(() => started.push('queued'));
  gate.resolve();
  expect(tasks.tryGo(() => started.push('barged'))).toBe(false);
  await tasks.wait();
  expect(tasks.tryGo(() => started.push('after'))).toBe(true);
  expect(started).toEqual(['queued', 'after']);
  const [unlimited] = group(background());
  expect(Array.from({ length: 1024 }, () => unlimited.tryGo(() => undefined))).not.toContain(false);
  const [single] = group(background(), { limit: 1 });
  const held = deferred();
  expect([single.tryGo(() => held.promise), single.tryGo(wait)]).toEqual([true, false]);
  held.resolve();
  await single.wait();
  const [none] = group(background(), { limit: 0 });
  expect(Array.from({ length: 1024 }, () => none.tryGo(wait))).not.toContain(true);
});

row('E9', 'a negative limit is none; with 0 nothing may start, and go says so', async () => {
  const [unlimited] = group(background(), { limit: -1 });
  expect(Array.from({ length: 100 }, () => unlimited.tryGo(turn))).not.toContain(false);
  await unlimited.wait();
  const [none] = group(background(), { limit: 0 });
  expect(none.tryGo(turn)).toBe(false);
  expect(thrown(() => none.go(turn))).toMatchObject({
    name: 'RangeError',
    message: expect.stringMatching(/limit/),
  });
  await none.wait();
});

row('E11', 'never more than the limit are active', async () => {
  const [tasks] = group(background(), { limit: 10 });
  let [active, most, done] = [0, 0, 0];
  for (let n = 0; n < 1025; n++) {
    tasks.go(async () => {
      most = Math.max(most, ++active);
      await (n % 3 === 0 ? turn() : Promise.resolve());
      active--;
      done++;
    });
  }
  await tasks.wait();
  expect([most, active, done]).toEqual([10, 0, 1025]);
});

row('E12', 'a group can be used again after wait; an error stays', async () => {
  const [tasks] = group(background());
  const seen: unknown[] = [];
  for (const error of [undefined, first, undefined, second]) {
    settle(tasks, [error]);
    seen.push(await outcome(tasks));
  }
  expect(seen).toEqual([undefined, first, first, first]);
});

row('E13', 'a synchronous throw is the rejection of its task, and there is no second channel', async () => {
  const [tasks, ctx] = group(background());
  tasks.go(() => {
    throw first;
  });
  expect(ctx.cause()).toBe(first);
  expect(await outcome(tasks)).toBe(first);
  const [fromTry] = group(background());
  expect(
    fromTry.tryGo(() => {
      throw second;
    }),
  ).toBe(true);
  expect(await outcome(fromTry)).toBe(second);
});

row('E14', 'tasks queued when the group is cancelled still start', async () => {
  const [tasks] = group(background(), { limit: 1 });
  const started: boolean[] = [];
  settle(tasks, [first]);
  for (let n = 0; n < 3; n++) tasks.go((ctx) => void started.push(ctx.err() !== undefined));
  expect(await outcome(tasks)).toBe(first);
  expect(started).toEqual([true, true, true]);
});

row(
  'E15',
  'where the parent ends, wait still tells the first error, or nothing if the tasks take no notice',
  async () => {
    const [parent, cancel] = withCancel(background());
    const [ignoring] = group(parent);
    const [failing] = group(parent);
    const gate = deferred();
    ignoring.go(() => gate.promise);
    failing.go(async () => {
      await gate.promise;
      throw first;
    });
    cancel('gone');
    gate.resolve();
    expect([await outcome(ignoring), await outcome(failing)]).toEqual([undefined, first]);
  },
);

row('E16', 'each task runs with the group’s context active and as its argument', async () => {
  const key = createContextKey('key');
  const [parent] = withTimeout(background(), 1e6);
  const [tasks, ctx] = group(parent.setValue(key, 'value'));
  const seen: unknown[] = [];
  tasks.go(async (given) => {
    await turn();
    const active = context.active();
    seen.push(active.getValue(key), given.signal === ctx.signal, given.getValue(key));
    run(given, () => seen.push(currentOperation()?.parent?.node === currentOperation()?.node));
  });
  await tasks.wait();
  expect(seen).toEqual(['value', true, 'value', true]);
});
