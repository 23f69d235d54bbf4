// What installed copies of a package share in a process, and what becomes of two that cannot.
import { spawnSync } from 'node:child_process';
import { globalSlot } from '@curfew/context/spi';

let warnings: [message: string, code: string | undefined][];
let undo: () => void;

beforeEach(() => {
  warnings = [];
  const spy = jest
    .spyOn(process, 'emitWarning')
    .mockImplementation((message: string | Error, options?: unknown) => {
      warnings.push([String(message), (options as { code?: string } | undefined)?.code]);
    });
  undo = () => spy.mockRestore();
});
afterEach(() => undo());

test('a record that lacks a member is not shared: this is said, and each copy keeps its own', () => {
  const first = globalSlot<object>('@curfew/test.lacking', 1, () => ({ board: 1 }));
  const second = globalSlot('@curfew/test.lacking', 1, () => ({ board: 2, guard: 2, cuts: 2 }));
  expect(second).toEqual({ board: 2, guard: 2, cuts: 2 });
  expect(first).toEqual({ board: 1 });
  expect(warnings).toEqual([
    [
      'Two copies of @curfew/test are loaded that cannot work together: the first lacks guard, cuts',
      'CURFEW_INCOMPATIBLE_COPIES',
    ],
  ]);
});

test('what somebody else put there is left alone', () => {
  const slots = globalThis as { [slot: symbol]: unknown };
  const slot = Symbol.for('@curfew/test.strangers.v1');
  slots[slot] = 'not ours';
  expect(globalSlot('@curfew/test.strangers', 1, () => ({ mine: true }))).toEqual({ mine: true });
  expect(slots[slot]).toBe('not ours');
  expect(warnings).toHaveLength(1);
});

test('copies of one build share a record, and so does an older one with a newer, which has more', () => {
  const newer = globalSlot('@curfew/test.shared', 1, () => ({ calls: 0, more: true }));
  newer.calls = 3;
  expect(globalSlot('@curfew/test.shared', 1, () => ({ calls: 0 }))).toBe(newer);
  expect(globalSlot('@curfew/test.shared', 1, () => ({ calls: 0, more: true })).calls).toBe(3);
  expect(globalSlot('@curfew/test.shared', 2, () => ({ calls: 0 })).calls).toBe(0);
  expect(warnings).toEqual([]);
});

test('a process that finds the runtime of an older build says so once, and works', () => {
  const program = `
    globalThis[Symbol.for('@curfew/context.runtime.v1')] = { board: { hooks: {}, listeners: [], errors: 0 } };
    const { withCancel, background } = require('@curfew/context');
    const { subscribe } = require('@curfew/context/spi');
    const told = [];
    subscribe({ contextEnded: ({ ending }) => told.push(ending.outcome) });
    withCancel(background())[1]('why');
    console.log(JSON.stringify(told));`;
  const { stdout, stderr, status } = spawnSync(process.execPath, ['-e', program], {
    cwd: __dirname,
    encoding: 'utf8',
  });
  expect([status, stdout.trim()]).toEqual([0, '["canceled"]']);
  expect(stderr.match(/CURFEW_INCOMPATIBLE_COPIES/g)).toHaveLength(1);
});
