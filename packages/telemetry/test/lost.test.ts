import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { background, merge, withCancel, withTimeout, type CancelContext } from '@curfew/context';
import { install, type Telemetry } from '@curfew/telemetry';
import { scrape, total, type Samples } from './exposition';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

let telemetry: Telemetry;
afterEach(() => telemetry.uninstall());

/** Collects garbage until the figures are as wanted, in turns of the loop, since finalizers run in their own. */
async function eventually(wanted: (samples: Samples) => boolean): Promise<Samples> {
  const nextTurn = () => new Promise((resolve) => setImmediate(resolve));
  for (let turn = 0; ; turn++) {
    // What was looked at in a turn of the loop is kept for the rest of it.
    await nextTurn();
    collectGarbage();
    await nextTurn();
    const samples = await scrape(telemetry);
    if (wanted(samples) || turn === 200) return samples;
  }
}

const lost = (samples: Samples) => total(samples, 'curfew_context_lost_total', 'name="forgotten"');

function abandon(count: number): void {
  for (let index = 0; index < count; index++) withCancel(background(), { name: 'forgotten' });
}

function abandonOne(): WeakRef<CancelContext> {
  return new WeakRef(withCancel(background())[0]);
}

test('contexts collected without having ended are counted as lost, once, and are live no more; ended ones are not', async () => {
  telemetry = install({ lost: true });
  abandon(100);
  for (let index = 0; index < 100; index++) withCancel(background(), { name: 'forgotten' })[1]();
  // Slots are used again: a ticket for a context that ended must not be honoured for the one that has its slot now.
  const held = Array.from({ length: 50 }, () => withCancel(background(), { name: 'held' }));
  const [deadline] = withTimeout(background(), 3_600_000, { name: 'held by its deadline' });
  const samples = await eventually((figures) => lost(figures) === 100);
  expect(lost(samples)).toBe(100);
  expect(total(samples, 'curfew_context_lost_total')).toBe(100);
  expect(total(samples, 'curfew_context_ended_total', 'name="forgotten"')).toBe(100);
  expect(total(samples, 'curfew_context_active', 'name="forgotten"')).toBe(0);
  expect(total(samples, 'curfew_context_active', 'name="held"')).toBe(50);
  for (const [, release] of held) release();
  expect(deadline.err()).toBeUndefined();
});

test('unless asked for nothing is watched, and a context that nobody ends stays in the live list', async () => {
  telemetry = install();
  abandon(10);
  const gone = abandonOne();
  const samples = await eventually(() => gone.deref() === undefined);
  expect(gone.deref()).toBeUndefined();
  expect(total(samples, 'curfew_context_lost_total')).toBe(0);
  expect(total(samples, 'curfew_context_active', 'name="forgotten"')).toBe(10);
});

test('nothing is kept of a chain of merges that was cancelled', async () => {
  telemetry = install();
  const gone = cancelChain();
  await eventually(() => gone.every((each) => each.deref() === undefined));
  expect(gone.map((each) => each.deref())).toEqual([undefined, undefined, undefined]);
});

function cancelChain(): WeakRef<CancelContext>[] {
  const [first, cancel] = withCancel(background());
  const [second] = merge(background(), first);
  const [third] = merge(background(), second);
  cancel('why');
  return [first, second, third].map((each) => new WeakRef(each));
}
