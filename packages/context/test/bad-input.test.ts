import {
  afterFunc,
  background,
  checkpoint,
  cleanup,
  from,
  group,
  isCanceled,
  iterate,
  merge,
  notifyContext,
  onEnd,
  race,
  reasonOf,
  run,
  scope,
  sleep,
  track,
  withCancel,
  withDeadline,
  withoutCancel,
  withSignal,
  withTimeout,
  withValue,
} from '@curfew/context';
import {
  beginOperation,
  deadlineStatus,
  end,
  hookErrors,
  nodeOf,
  retire,
  setEnforcement,
  setGuard,
  subscribe,
  useClock,
} from '@curfew/context/spi';
import { spawnSync } from 'node:child_process';
import { useManualClock, type ManualClock } from '../../../test/manual-clock';

// What the types forbid is handed over on purpose.
type Any = any;

const KEY = Symbol('key');
const noop = () => undefined;
const { signal } = new AbortController();

let clock: ManualClock;
let restore: () => void;
let started = 0;
let unsubscribe: () => void;
beforeEach(() => {
  ({ clock, restore } = useManualClock());
  started = 0;
  unsubscribe = subscribe({ contextStarted: () => void started++ });
});
afterEach(() => {
  unsubscribe();
  restore();
});

/** What `act` throws, or what the promise it returns rejects with. */
async function thrownBy(act: () => unknown): Promise<{ readonly error: unknown }> {
  try {
    await act();
  } catch (error) {
    // In an object: a promise looks for a `then` in what it is resolved with, and some of these throw when asked.
    return { error };
  }
  throw new Error('nothing was refused');
}

/** Does something wrong under a live parent; it must be refused by that name and leave the parent as it was. */
async function refused(act: (parent: Any) => unknown, type: typeof TypeError, says: string): Promise<void> {
  const [parent, release] = withCancel(background());
  const live = deadlineStatus().live;
  started = 0;
  const { name, message } = (await thrownBy(() => act(parent))).error as Error;
  expect(`${name}: ${message}`).toContain(`${type.name}: ${says}`);
  const node = nodeOf(parent);
  expect([started, deadlineStatus().live, clock.timers.length]).toEqual([0, live, 0]);
  expect([node?.firstChild, node?.firstCallback, node?.operations]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
  release();
}

describe('a context', () => {
  const strangers: [string, unknown][] = [
    ['undefined', undefined],
    ['null', null],
    ['0', 0],
    ['"ctx"', 'ctx'],
    ['an object', {}],
    ['an object', []],
    ['an object', { getValue: noop, setValue: noop }],
    ['an object', signal],
    ['a function', noop],
    ['Symbol(key)', KEY],
    ['5', 5n],
  ];
  const takers: [string, string, (ctx: Any, other: Any) => unknown][] = [
    ['withCancel', 'parent', (ctx) => withCancel(ctx)],
    ['withTimeout', 'parent', (ctx) => withTimeout(ctx, 50)],
    ['withTimeout of no time', 'parent', (ctx) => withTimeout(ctx, 0)],
    ['withDeadline', 'parent', (ctx) => withDeadline(ctx, clock.wallNow() + 50)],
    ['withSignal', 'parent', (ctx) => withSignal(ctx, signal)],
    ['withValue', 'parent', (ctx) => withValue(ctx, KEY, 1)],
    ['withoutCancel', 'parent', (ctx) => withoutCancel(ctx)],
    ['merge', 'values', (ctx, other) => merge(ctx, other)],
    ['merge', 'other', (ctx, other) => merge(other, ctx)],
    ['notifyContext', 'parent', (ctx) => notifyContext(ctx, 'SIGTERM')],
    ['scope', 'parent', (ctx) => scope(ctx, { timeout: 50, signal }, noop)],
    ['from', 'ctx', (ctx) => from(ctx)],
    ['group', 'ctx', (ctx) => group(ctx)],
    ['onEnd', 'ctx', (ctx) => onEnd(ctx, noop)],
    ['afterFunc', 'ctx', (ctx) => afterFunc(ctx, noop)],
    ['cleanup', 'ctx', (ctx) => cleanup(ctx, noop)],
    ['run', 'ctx', (ctx) => run(ctx, noop)],
    ['track', 'ctx', (ctx) => track(ctx, Promise.resolve())],
    ['race', 'ctx', (ctx) => race(ctx, Promise.resolve())],
    ['sleep', 'ctx', (ctx) => sleep(ctx, 5)],
    ['iterate, at its first step', 'ctx', (ctx) => iterate(ctx, [1]).next()],
    ['checkpoint, by its promise', 'ctx', (ctx) => checkpoint(ctx)],
    ['end', 'ctx', (ctx) => end(ctx, { origin: 'shutdown' })],
    ['retire', 'ctx', (ctx) => retire(ctx)],
    ['beginOperation', 'ctx', (ctx) => beginOperation(ctx)],
  ];
  test.each(takers)('%s refuses a %s that is missing or no Context', async (_, name, take) => {
    for (const [shown, stranger] of strangers) {
      const says = `${name} must be an OpenTelemetry Context, got ${shown}`;
      await refused((other) => take(stranger, other), TypeError, says);
    }
  });
});

describe('a number', () => {
  const takers: [string, string, string, (parent: Any, value: Any) => unknown][] = [
    ['withTimeout', 'ms', 'a number of milliseconds', (parent, ms) => withTimeout(parent, ms)],
    ['sleep', 'ms', 'a number of milliseconds', (parent, ms) => sleep(parent, ms)],
    [
      'scope',
      'options.timeout',
      'a number of milliseconds',
      (parent, timeout) => scope(parent, { timeout: timeout ?? null }, noop),
    ],
    [
      'scope',
      'options.deadline',
      'a Date or a number of epoch milliseconds',
      (parent, deadline) => scope(parent, { deadline: deadline ?? null }, noop),
    ],
    [
      'withDeadline',
      'at',
      'a Date or a number of epoch milliseconds',
      (parent, at) => withDeadline(parent, at),
    ],
    ['group', 'options.limit', 'a whole number', (parent, limit) => group(parent, { limit: limit ?? null })],
  ];
  test.each(takers)('%s refuses %s of another type', async (_, name, expected, take) => {
    for (const stranger of [null, '50', 50n, {}, [], noop, KEY, true]) {
      await refused((parent) => take(parent, stranger), TypeError, `${name} must be ${expected}, got`);
    }
  });

  test('NaN, an invalid Date and a limit that is no whole number are out of range', async () => {
    const wrong: [string, (parent: Any) => unknown][] = [
      ['ms', (parent) => withTimeout(parent, NaN)],
      ['ms', (parent) => sleep(parent, NaN)],
      ['at', (parent) => withDeadline(parent, NaN)],
      ['at', (parent) => withDeadline(parent, new Date(NaN))],
      ['at', (parent) => withDeadline(parent, new Date('tomorrow'))],
      ['options.timeout', (parent) => scope(parent, { timeout: NaN }, noop)],
      ['options.deadline', (parent) => scope(parent, { deadline: new Date(NaN) }, noop)],
      ['options.timeout', (parent) => cleanup(parent, noop, { timeout: NaN })],
      ['options.limit', (parent) => group(parent, { limit: NaN })],
      ['options.limit', (parent) => group(parent, { limit: 1.5 })],
    ];
    for (const [name, act] of wrong) await refused(act, RangeError, `${name} must be `);
    await refused(
      (parent) => cleanup(parent, noop, { timeout: '5' as Any }),
      TypeError,
      'options.timeout must be a number of milliseconds, got "5"',
    );
  });

  const now = () => clock.wallNow();
  const ways: [string, (parent: Any, ms: number) => ReturnType<typeof withTimeout>][] = [
    ['withTimeout', (parent, ms) => withTimeout(parent, ms)],
    ['withDeadline', (parent, ms) => withDeadline(parent, now() + ms)],
  ];
  describe.each(ways)('%s', (_, derive) => {
    test('takes +Infinity as no deadline, -Infinity, 0 and what is negative as passed', () => {
      const [never, release] = derive(background(), Infinity);
      expect([never.deadline(), never.remaining(), deadlineStatus().live]).toEqual([undefined, Infinity, 0]);
      release();
      for (const ms of [-Infinity, -(2 ** 53), -1, -0, 0]) {
        const [parent] = withCancel(background());
        const [ctx] = derive(parent, ms);
        expect([ctx.err()?.name, ctx.remaining(), nodeOf(parent)?.firstChild]).toEqual([
          'TimeoutError',
          0,
          undefined,
        ]);
        expect(ctx.deadline()?.getTime()).not.toBeNaN();
        expect(ctx.toString()).toMatch(/^context\.Background\.WithCancel\.WithDeadline\(.+\[.+ms\]\)$/);
      }
      expect(clock.timers).toHaveLength(0);
    });

    test.each([2 ** 31 - 1, 2 ** 31, 2 ** 32 + 1, 2 ** 53])(
      'takes %d ms: no timer gets a longer delay',
      (ms) => {
        const [ctx, release] = derive(background(), ms);
        expect(clock.timers.map(({ at }) => at - clock.now())).toEqual([2 ** 31 - 1]);
        clock.advance(2 ** 31 - 2);
        expect([ctx.err(), ctx.deadline()?.getTime()]).toEqual([undefined, expect.any(Number)]);
        expect(ctx.toString()).toContain('WithDeadline(');
        expect(ctx.deadline()?.getTime()).not.toBeNaN();
        release();
      },
    );
  });

  test('sleep takes a number beyond the longest timer, and Infinity waits for the context', async () => {
    for (const ms of [2 ** 31, 2 ** 53, Infinity]) {
      const [ctx, cancel] = withCancel(background());
      const slept = sleep(ctx, ms);
      clock.advance(2 ** 31 - 1);
      cancel('enough');
      await expect(slept).rejects.toBe(ctx.err());
      expect(clock.timers).toHaveLength(0);
    }
  });
});

describe('the other arguments', () => {
  test('a key must be a symbol', async () => {
    for (const key of [undefined, null, 'user', 5, {}]) {
      await refused((parent) => withValue(parent, key as Any, 1), TypeError, 'key must be a symbol');
    }
  });

  test('a signal must be one, not look like one', async () => {
    const forged = { [Symbol.toStringTag]: 'AbortSignal' };
    const halfForged = { ...forged, addEventListener: noop };
    for (const stranger of [
      null,
      'abort',
      {},
      forged,
      halfForged,
      new AbortController(),
      new EventTarget(),
    ] as Any[]) {
      await refused((parent) => withSignal(parent, stranger), TypeError, 'signal must be an AbortSignal');
      await refused(
        (parent) => scope(parent, { signal: stranger }, noop),
        TypeError,
        'options.signal must be',
      );
    }
    await refused(
      (parent) => withSignal(parent, undefined as Any),
      TypeError,
      'signal must be an AbortSignal',
    );
  });

  test('a function must be one', async () => {
    const takers: ((parent: Any, fn: Any) => unknown)[] = [
      onEnd,
      afterFunc,
      cleanup,
      (parent, fn) => run(parent, {}, fn),
      (parent, fn) => scope(parent, { timeout: 50 }, fn),
      (_, fn) => group(background())[0].go(fn),
      (_, fn) => group(background())[0].tryGo(fn),
    ];
    for (const take of takers) {
      for (const fn of [undefined, null, 'fn', {}]) {
        const { error } = await thrownBy(() => take(background(), fn));
        expect(String(error)).toMatch(/^TypeError: fn must be a function, got/);
      }
    }
    for (const take of takers.slice(0, 5)) {
      await refused((parent) => take(parent, null), TypeError, 'fn must be a function, got null');
    }
  });

  test('a promise must have a then, a source must be iterable', async () => {
    for (const stranger of [undefined, null, 5, {}] as Any[]) {
      await refused((parent) => track(parent, stranger), TypeError, 'promise must be a promise');
      await refused((parent) => race(parent, stranger), TypeError, 'promise must be a promise');
      await refused(
        (parent) => iterate(parent, stranger).next(),
        TypeError,
        'source must be an async iterable',
      );
    }
  });

  test('options must be an object', async () => {
    const takers: ((parent: Any, options: Any) => unknown)[] = [
      (parent, options) => withCancel(parent, options),
      (parent, options) => withTimeout(parent, 50, options),
      (parent, options) => withDeadline(parent, clock.wallNow() + 50, options),
      (parent, options) => withSignal(parent, signal, options),
      (parent, options) => merge(parent, background(), options),
      (parent, options) => group(parent, options),
      (parent, options) => scope(parent, options, noop),
      (parent, options) => run(parent, options, noop),
      (parent, options) => track(parent, Promise.resolve(), options),
      (parent, options) => cleanup(parent, noop, options),
      (parent, options) => beginOperation(parent, options),
    ];
    for (const take of takers) {
      for (const options of [null, 'price', 50, true]) {
        await refused((parent) => take(parent, options), TypeError, 'options must be an options object, got');
      }
    }
    const [tasks, ctx] = group(background());
    expect(() => tasks.go(noop, 'load' as Any)).toThrow('options must be an options object, got "load"');
    expect(() => tasks.tryGo(noop, null as Any)).toThrow('options must be an options object, got null');
    expect([ctx.err(), nodeOf(ctx)?.operations]).toEqual([undefined, undefined]);
    const [timed, release] = withTimeout(background(), 50);
    expect(() => merge(background(), timed, 'x' as Any)).toThrow('options must be');
    release();
    await Promise.resolve();
  });

  test('options whose getters throw leave nothing half-built', async () => {
    for (const name of ['name', 'cause', 'ref', 'longLived']) {
      const options = Object.defineProperty({}, name, {
        get() {
          throw new RangeError(`getter of ${name}`);
        },
      });
      await refused((parent) => withTimeout(parent, 50, options), RangeError, `getter of ${name}`);
      await refused((parent) => withTimeout(parent, 0, options), RangeError, `getter of ${name}`);
    }
  });

  test('scope refuses what is in the wrong place', async () => {
    await refused((parent) => scope(parent, noop), TypeError, 'options must be an options object before fn');
    for (const first of [undefined, null, 300, 'price'] as Any[]) {
      await refused(() => scope(first, noop), TypeError, 'options must be an options object');
    }
    await refused((parent) => scope(parent, {} as Any), TypeError, 'fn must be a function, got undefined');
    await refused(() => (scope as Any)(), TypeError, 'options must be an options object');
  });

  test('notifyContext refuses no signal, what is no name, and one that cannot be listened to', async () => {
    await refused((parent) => notifyContext(parent), TypeError, 'signals must be at least one signal name');
    for (const name of [undefined, null, 15, {}, KEY] as Any[]) {
      await refused(
        (parent) => notifyContext(parent, 'SIGTERM', name),
        TypeError,
        'signals must be names such as',
      );
    }
    const before = process.listenerCount('SIGTERM');
    const { stdout } = spawnSync(
      process.execPath,
      [
        '-e',
        `
        const { background, withCancel, notifyContext } = require('@curfew/context');
        const [parent] = withCancel(background());
        try { notifyContext(parent, 'SIGTERM', 'SIGKILL'); } catch (error) { console.log(error.message); }
        console.log(process.listenerCount('SIGTERM'), parent.firstChild);
      `,
      ],
      { encoding: 'utf8', cwd: __dirname },
    );
    expect(stdout).toBe('uv_signal_start EINVAL\n0 undefined\n');
    expect(process.listenerCount('SIGTERM')).toBe(before);
  });

  test('a group with the limit 0 says that it can start nothing', () => {
    const [tasks] = group(background(), { limit: 0 });
    expect(() => tasks.go(noop)).toThrow(RangeError);
    expect(tasks.tryGo(noop)).toBe(false);
  });

  test('the adapters’ doors refuse too, and go on for everybody else', () => {
    const [ctx, cancel] = withCancel(background());
    for (const options of [undefined, null] as Any[]) {
      expect(() => end(ctx, options)).toThrow('options must be an options object');
    }
    for (const options of [{}, { origin: 5 }] as Any[]) {
      expect(() => end(ctx, options)).toThrow('options.origin must be');
    }
    const reason = 'completed' as Any;
    expect(() => end(ctx, { origin: 'shutdown', reason })).toThrow('options.reason must be');
    for (const listener of [undefined, null, 'x'] as Any[]) {
      expect(() => subscribe(listener)).toThrow('listener must be an object of hooks');
    }
    for (const wrong of [undefined, null, {}, { now: noop }] as Any[]) {
      expect(() => useClock(wrong)).toThrow(/^replacement\.\w+ must be a function/);
    }
    for (const wrong of [undefined, null, '0', 0] as Any[]) {
      expect(() => setEnforcement(wrong)).toThrow('enforce must be a boolean');
      expect(() => setGuard(wrong)).toThrow('on must be a boolean');
    }
    const ended = jest.fn();
    const stop = subscribe({ contextEnded: ended });
    cancel('why');
    stop();
    expect(ended).toHaveBeenCalledTimes(1);
  });
});

const hostile: Any = new Proxy(
  {},
  Object.fromEntries(
    Object.getOwnPropertyNames(Reflect).map((trap) => [
      trap,
      () => {
        throw new Error(`touched by ${trap}`);
      },
    ]),
  ),
);

describe('a cause', () => {
  const frozen = Object.freeze(new Error('frozen'));
  const given: [string, Any][] = [
    ['0', 0],
    ['an empty string', ''],
    ['false', false],
    ['NaN', NaN],
    ['a string', 'why'],
    ['a symbol', KEY],
    ['a frozen error', frozen],
    ['an object whose every trap throws', hostile],
  ];

  test.each(given)('%s is kept by identity and never looked into', async (_, cause) => {
    const [parent, cancel] = withCancel(background());
    const [child] = withCancel(parent);
    const told = jest.fn();
    onEnd(child, told);
    child.signal.addEventListener('abort', told);
    cancel(cause);
    const [timed] = withTimeout(background(), 0, { cause });
    const [foreign] = withSignal(background(), AbortSignal.abort(cause));
    const [ended] = withCancel(background());
    end(ended, { origin: 'shutdown', cause });
    const [merged] = merge(background(), ended);
    expect(told).toHaveBeenCalledTimes(2);
    for (const ctx of [parent, child, timed, foreign, ended, merged]) {
      expect(Object.is(ctx.cause(), cause)).toBe(true);
      expect(Object.is(ctx.err()?.cause, cause)).toBe(true);
      expect(ctx.signal.reason).toBe(ctx.err());
      expect(reasonOf(ctx.err())).toBe(ctx === timed ? 'deadline_exceeded' : 'canceled');
      expect(ctx.toString()).toContain('context.Background');
    }
    expect(reasonOf(cause)).toBeUndefined();
    expect(isCanceled((await thrownBy(() => race(child, new Promise(noop)))).error)).toBe(true);
  });

  test.each([...given, ['undefined', undefined], ['null', null]])(
    '%s thrown by a task is the group’s error; thrown in a scope, it is the scope’s',
    async (_, thrown) => {
      const [tasks, ctx] = group(background());
      const other = jest.fn();
      tasks.go((inner) => sleep(inner, 60_000).catch(other));
      tasks.go(() => {
        throw thrown;
      });
      const { error } = await thrownBy(() => tasks.wait());
      expect(Object.is(error, thrown)).toBe(true);
      expect(other).toHaveBeenCalledTimes(1);
      expect(Object.is(ctx.cause(), thrown ?? ctx.err())).toBe(true);
      const rejected = await thrownBy(() => scope(background(), {}, () => Promise.reject(thrown)));
      expect(Object.is(rejected.error, thrown)).toBe(true);
    },
  );

  test('undefined and null are no cause: a release, whose cause is the error itself', () => {
    for (const none of [undefined, null]) {
      const [ctx, cancel] = withCancel(background());
      cancel(none);
      expect([ctx.cause() === ctx.err(), ctx.err()?.message]).toEqual([true, 'context canceled']);
      const [timed] = withTimeout(background(), 0, { cause: none });
      expect(timed.cause()).toBe(timed.err());
    }
  });

  test('the error of the context itself as the cause makes a chain that ends', () => {
    const [ctx, cancel] = withCancel(background());
    cancel('first');
    const [again, cancelAgain] = withCancel(background());
    cancelAgain(ctx.err());
    expect([again.cause(), reasonOf(again.err())]).toEqual([ctx.err(), 'canceled']);
    const cycle = new Error('cycle');
    cycle.cause = cycle;
    expect(reasonOf(cycle)).toBeUndefined();
  });
});

test('a hostile result of run is passed on untouched, and its operation settled', () => {
  const [ctx] = withCancel(background());
  expect(
    Object.is(
      run(ctx, () => hostile),
      hostile,
    ),
  ).toBe(true);
  expect(nodeOf(ctx)?.operations).toBeUndefined();
});

test('race asks a thenable once: a query builder runs its query at each call of then', async () => {
  const then = jest.fn((resolve: (value: number) => void) => resolve(42));
  const [ctx] = withCancel(background());
  expect(await race(ctx, { then } as Any)).toBe(42);
  expect(then).toHaveBeenCalledTimes(1);
});

test('a hook that throws is counted and harms nobody', () => {
  const before = hookErrors();
  const later = jest.fn();
  const stops = [
    subscribe({
      contextEnded() {
        throw new Error('mine');
      },
    }),
    subscribe({ contextEnded: later }),
  ];
  const [ctx, cancel] = withCancel(background());
  cancel('why');
  for (const stop of stops) stop();
  expect([hookErrors() - before, later.mock.calls.length, isCanceled(ctx.err())]).toEqual([1, 1, true]);
});

test('listeners that throw, of every kind, harm nobody and surface once each', () => {
  const program = `
    const c = require('@curfew/context');
    const said = [];
    process.on('uncaughtException', (error) => said.push('uncaught ' + error.message));
    process.on('unhandledRejection', (error) => said.push('unhandled ' + error.message));
    const fail = (name) => () => { throw new Error(name); };
    const [parent, cancel] = c.withCancel(c.background());
    const [ctx] = c.withCancel(parent);
    ctx.signal.addEventListener('abort', fail('signal'));
    ctx.signal.addEventListener('abort', () => said.push('signal'));
    c.onEnd(ctx, fail('onEnd'));
    c.onEnd(ctx, () => said.push('onEnd'));
    c.afterFunc(ctx, fail('afterFunc'));
    c.afterFunc(ctx, async () => fail('afterFunc later')());
    c.afterFunc(ctx, () => said.push('afterFunc'));
    c.cleanup(ctx, fail('cleanup'));
    cancel('why');
    said.push('returned');
    setImmediate(() => {
      console.log(JSON.stringify({ said, rest: [parent.firstChild, ctx.firstCallback, ctx.operations], why: ctx.cause() }));
    });
  `;
  const { stdout } = spawnSync(process.execPath, ['-e', program], { encoding: 'utf8', cwd: __dirname });
  const { said, rest, why } = JSON.parse(stdout) as { said: string[]; rest: unknown[]; why: string };
  expect(said.slice(0, 3)).toEqual(['signal', 'onEnd', 'returned']);
  expect(said.slice(3).sort()).toEqual(
    [
      'afterFunc',
      'unhandled afterFunc later',
      'unhandled cleanup',
      'uncaught afterFunc',
      'uncaught onEnd',
      'uncaught signal',
    ].sort(),
  );
  expect([rest, why]).toEqual([[null, null, null], 'why']);
});
