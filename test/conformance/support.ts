import { nodeOf } from '@curfew/context/spi';
import type { Context as OtelContext } from '@opentelemetry/api';
import { spawnSync } from 'node:child_process';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { useManualClock, type ManualClock } from '../manual-clock';

/** A manual clock for each test of a file; no deadline of one test is left to the next. */
export function manualClock(): ManualClock {
  let current: ManualClock;
  let restore: () => void;
  beforeEach(() => ({ clock: current, restore } = useManualClock()));
  afterEach(() => {
    current.advance(1e11);
    restore();
  });
  return new Proxy({} as ManualClock, {
    get: (_, name) => Reflect.get(current, name) as unknown,
    set: (_, name, value) => Reflect.set(current, name, value),
  });
}

/** Lets microtasks, ticks and one round of the event loop pass. */
export const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** What a context holds on to: its live children and its callbacks. */
export function registrations(ctx: OtelContext): number {
  const node = nodeOf(ctx);
  let count = 0;
  for (let child = node?.firstChild; child !== undefined; child = child.next) count++;
  for (let callback = node?.firstCallback; callback !== undefined; callback = callback.next) count++;
  return count;
}

/** What a function throws. */
export function thrown(fn: () => unknown): unknown {
  try {
    fn();
  } catch (error) {
    return error;
  }
  throw new Error('It threw nothing.');
}

/** What the functions throw is a TypeError; by name, since Jest's realm has another class of it than Node's own code. */
export function expectTypeError(...fns: (() => unknown)[]): void {
  for (const fn of fns) {
    expect(thrown(fn)).toMatchObject({ name: 'TypeError', message: expect.stringMatching(/must be/) });
  }
}

/** A promise settled from outside. */
export function deferred<T = void>() {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

/** A context of somebody else's class, with the three methods of the interface and nothing more. */
export class ForeignContext implements OtelContext {
  constructor(private readonly inner: OtelContext) {}
  getValue(key: symbol): unknown {
    return this.inner.getValue(key);
  }
  setValue(key: symbol, value: unknown): OtelContext {
    return new ForeignContext(this.inner.setValue(key, value));
  }
  deleteValue(key: symbol): OtelContext {
    return new ForeignContext(this.inner.deleteValue(key));
  }
}

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

/** Collects what nobody holds any more. What was made or dereferenced in a turn is kept until its end. */
export async function collectGarbage(): Promise<void> {
  await turn();
  gc();
}

/** Whether what `make` refers to is collected; it is made in a frame of its own, which nothing outlives. */
export async function collected(make: () => WeakRef<object>): Promise<boolean> {
  const ref = make();
  for (let attempt = 0; attempt < 10; attempt++) {
    await collectGarbage();
    if (ref.deref() === undefined) return true;
  }
  return false;
}

export interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly lines: string[];
  readonly stderr: string;
}

/** Runs a program as a process of its own, with the package as `c`; it has to end by itself. */
export function spawned(program: string, { module = false, flags = [] as string[] } = {}): Ended {
  const load = module ? "import * as c from '@curfew/context';" : "const c = require('@curfew/context');";
  const { status, signal, stdout, stderr } = spawnSync(
    process.execPath,
    [...flags, `--input-type=${module ? 'module' : 'commonjs'}`, '-e', load + program],
    { encoding: 'utf8', cwd: __dirname, timeout: 20_000 },
  );
  return { status, signal, lines: stdout.split('\n').filter((line) => line !== ''), stderr };
}
