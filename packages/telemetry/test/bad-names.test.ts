import { background, track, withCancel } from '@curfew/context';
import { beginOperation, end, hooks } from '@curfew/context/spi';
import { install, type Telemetry } from '@curfew/telemetry';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { useManualClock } from '../../../test/manual-clock';
import { scrape, total } from './exposition';
import { figure, risingFigures } from './observed';
import { backendCancel, cancellationArrived, deadlineReceived } from './adapters';

let telemetry: Telemetry;
beforeEach(() => (telemetry = install()));
afterEach(() => telemetry.uninstall());

/** The names that contexts ended under, in the order of their first sight. */
const names = () =>
  (telemetry.snapshot().get('curfew.context.ended')?.points ?? []).map(
    ({ attributes }) => attributes['curfew.context.name'],
  );
const live = (name: unknown) => withCancel(background(), { name: name as string })[1]();

test.each<[string, unknown, string]>([
  ['no name', undefined, 'unnamed'],
  ['an empty one', '', 'unnamed'],
  ['a newline', 'two\nlines', 'two_lines'],
  ['quotes and backslashes', 'say "\\n"', 'say "\\n"'],
  ['NUL', 'a\0b', 'a_b'],
  ['an emoji', '🦉', '🦉'],
  ['a lone surrogate', 'half \ud83e', 'half _'],
  ['surrogates the wrong way round', '\udd89\ud83e', '__'],
  ['an escape sequence of a terminal', '\u001b[31mred', '_[31mred'],
  ['ten megabytes', 'x'.repeat(1e7), 'x'.repeat(100)],
  ['an emoji across the cut', `${'x'.repeat(99)}🦉`, 'x'.repeat(99)],
  ['an emoji just before the cut', `${'x'.repeat(98)}🦉tail`, `${'x'.repeat(98)}🦉`],
  ['lone surrogates at the cut', `${'x'.repeat(99)}\ud83e\ud83e`, `${'x'.repeat(99)}_`],
  ['a hundred characters', 'x'.repeat(100), 'x'.repeat(100)],
  ['the name of a prototype', '__proto__', '__proto__'],
  ['the name of a method', 'constructor', 'constructor'],
  ['what stands for all others', '_OTHER', '_OTHER'],
  ['a symbol', Symbol('name'), 'unnamed'],
  ['a number', 42, 'unnamed'],
  ['an object', { toString: () => 'no' }, 'unnamed'],
  ['null', null, 'unnamed'],
])('%s as a name becomes one label that every format can carry', async (_, name, label) => {
  live(name);
  live(name);
  expect(names()).toEqual([label]);
  const samples = await scrape(telemetry);
  expect(total(samples, 'curfew_context_ended_total')).toBe(2);
  expect(total(samples, 'curfew_sdk_overflows_total')).toBe(0);
});

test('names that differ only in what cannot be shown, or beyond the cut, are one', () => {
  for (const name of ['a\nb', 'a\tb', 'a\0b', 'a_b']) live(name);
  for (const tail of ['1', '2', '🦉']) live(`${'x'.repeat(100)}${tail}`);
  expect(names()).toEqual(['a_b', 'x'.repeat(100)]);
});

test('a million names are fifty and _OTHER, each counted, and whoever was first stays', () => {
  for (let index = 0; index < 1e6; index++) live(`tenant-${index}`);
  live('tenant-0');
  expect(names()).toEqual(['_OTHER', ...Array.from({ length: 50 }, (_, index) => `tenant-${index}`)]);
  expect(figure(telemetry, 'curfew.context.ended')).toBe(1e6 + 1);
  expect(figure(telemetry, 'curfew.context.ended', { 'curfew.context.name': '_OTHER' })).toBe(1e6 - 50);
  expect(figure(telemetry, 'curfew.sdk.overflows', { 'curfew.sdk.limit': 'name' })).toBe(1e6 - 50);
});

test('kinds and sources beyond their caps are _OTHER and counted; none is lost', () => {
  const [ctx] = withCancel(background());
  for (let index = 0; index < 20; index++) {
    void track(ctx, new Promise(() => undefined), { kind: `kind-${index}` });
    hooks.callRefused?.({ source: `source-${index}` });
    deadlineReceived.tell?.({ source: `source-${index}`, outcome: 'ok', remaining: 1 });
  }
  const overflows = (limit: string) =>
    figure(telemetry, 'curfew.sdk.overflows', { 'curfew.sdk.limit': limit });
  expect(figure(telemetry, 'curfew.operation.active')).toBe(20);
  expect(figure(telemetry, 'curfew.operation.active', { 'curfew.operation.kind': '_OTHER' })).toBe(10);
  expect(overflows('kind')).toBe(10);
  expect(figure(telemetry, 'curfew.deadline.rejections')).toBe(20);
  expect(figure(telemetry, 'curfew.propagation.inbound')).toBe(20);
  expect(figure(telemetry, 'curfew.deadline.remaining')).toBe(20);
  // Twelve sources; each of the eight others was told twice.
  expect(overflows('source')).toBe(16);
});

test('eight origins that nobody has heard of keep their names, those that are known do not count, and the rest are _OTHER', () => {
  const known = ['caller', 'client_disconnect', 'shutdown'];
  const unknown = Array.from({ length: 10 }, (_, index) => `queue_${index}`);
  for (const origin of [...known, ...unknown, ...unknown] as never[]) {
    end(withCancel(background(), { name: 'job' })[0], { origin });
  }
  const of = (origin: string) =>
    figure(telemetry, 'curfew.context.cancellations', { 'curfew.cancel.origin': origin });
  expect(known.map(of)).toEqual([1, 1, 1]);
  expect(unknown.map(of)).toEqual([2, 2, 2, 2, 2, 2, 2, 2, 0, 0]);
  expect(of('_OTHER')).toBe(4);
  expect(figure(telemetry, 'curfew.sdk.overflows', { 'curfew.sdk.limit': 'value' })).toBe(4);
});

test('so do eight boundaries, beside those that are known', () => {
  const unknown = Array.from({ length: 10 }, (_, index) => `broker_${index}`);
  for (const boundary of ['grpc', ...unknown]) {
    cancellationArrived.tell?.({ boundary, reason: 'canceled', duration: 5 });
  }
  const of = (boundary: string) =>
    figure(telemetry, 'curfew.cancel.propagation.duration', { 'curfew.propagation.boundary': boundary });
  expect(['grpc', ...unknown].map(of)).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0]);
  expect(of('_OTHER')).toBe(2);
});

test('what adapters tell in words or numbers that nobody knows is counted, and turns no figure into none', () => {
  const words = ['unheard-of', '__proto__', 'constructor', 'toString', '', undefined, null, 7, {}] as never[];
  const numbers = [NaN, -1, -Infinity, Infinity, '5', null, undefined, {}] as never[];
  for (const word of words) {
    deadlineReceived.tell?.({ source: word, outcome: word, remaining: 5 });
    hooks.callRefused?.({ source: word });
    backendCancel.tell?.({ system: word, outcome: word, duration: 5 });
    hooks.cancellationObserved?.({ node: undefined as never, reason: word, origin: word });
  }
  for (const number of numbers) {
    deadlineReceived.tell?.({ source: 'grpc-timeout', outcome: 'ok', remaining: number });
    backendCancel.tell?.({ system: 'postgresql', outcome: 'canceled', duration: number });
  }
  const told = words.length + numbers.length;
  expect(figure(telemetry, 'curfew.propagation.inbound')).toBe(told);
  expect(figure(telemetry, 'curfew.deadline.rejections')).toBe(words.length);
  expect(figure(telemetry, 'curfew.backend.cancel.duration')).toBe(told);
  expect(figure(telemetry, 'curfew.cancel.observed')).toBe(words.length);
  const wrong = [...risingFigures(telemetry.snapshot())].filter(
    ([, value]) => !(value >= 0 && value < Infinity),
  );
  expect(wrong).toEqual([]);
});

test('what a user calls an operation is cut and made printable before anybody is warned of it', () => {
  telemetry.uninstall();
  const { clock, restore } = useManualClock();
  const told: { body: string; attributes: Record<string, unknown> }[] = [];
  telemetry = install({
    loggerProvider: { getLogger: () => ({ emit: (record) => void told.push(record) }) },
  });
  for (const name of ['two\nlines', 'x'.repeat(1e6), Symbol('name') as never]) {
    const [ctx, cancel] = withCancel(background());
    beginOperation(ctx, { name });
    cancel('why');
    clock.advance(60_000);
  }
  const names = told.map(({ attributes }) => attributes['curfew.operation.name']);
  expect(names).toEqual(['two_lines', 'x'.repeat(100), undefined]);
  for (const { body } of told) {
    expect(body).not.toContain('\n');
    expect(body.length).toBeLessThan(300);
  }
  telemetry.uninstall();
  restore();
});

test('an operation that is settled twice is settled once, and one of no name or kind counts too', () => {
  const [ctx, cancel] = withCancel(background());
  const operation = beginOperation(ctx, { kind: 7 as never, name: Symbol('name') as never });
  beginOperation(ctx, { kind: '', name: '' });
  expect(figure(telemetry, 'curfew.operation.active', { 'curfew.operation.kind': 'unnamed' })).toBe(2);
  cancel('why');
  operation?.settle();
  operation?.settle();
  expect(figure(telemetry, 'curfew.operation.active')).toBe(1);
  expect(figure(telemetry, 'curfew.cancel.settle.duration')).toBe(1);
});

test('what users call things is not kept, however large it is', () => {
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ['--expose-gc', join(__dirname, 'fixtures', 'large-names.cjs')],
    { encoding: 'utf8' },
  );
  expect(stderr).toBe('');
  const { labels, megabytes } = JSON.parse(stdout) as { labels: number; megabytes: number };
  expect(labels).toBe(51);
  // A hundred of them were a megabyte each.
  expect(megabytes).toBeLessThan(5);
});
