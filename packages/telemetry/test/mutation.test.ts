import { subscribe, type HookEvents } from '@curfew/context/spi';
import { install } from '@curfew/telemetry';
import { differences } from './forest/differences';
import { openOtlp } from './forest/exits';
import { startPlay } from './forest/play';
import { seedOfRun } from './forest/random';

type Hook = keyof HookEvents;

interface Board {
  readonly listeners: Partial<Record<Hook, unknown>>[];
  readonly hooks: Readonly<Record<Hook, unknown>>;
}

const board = () =>
  (globalThis as unknown as Record<symbol, { board: Board }>)[Symbol.for('@curfew/context.runtime.v1')]
    ?.board as Board;

/** What telemetry listens to, asked of telemetry itself: a hook that is added later is in it from the first day. */
function heard(): Hook[] {
  const telemetry = install({ cleanups: true, lost: true });
  const hooks = Object.entries(board().hooks).flatMap(([hook, told]) =>
    told === undefined ? [] : [hook as Hook],
  );
  telemetry.uninstall();
  return hooks;
}

/** Makes telemetry deaf to a hook. */
function drop(hook: Hook): void {
  for (const listener of board().listeners) listener[hook] = undefined;
  // Whoever comes or goes has the hooks put together anew.
  subscribe({})();
  if (board().hooks[hook] !== undefined) throw new Error(`somebody still hears ${hook}`);
}

/** What the figures and the tally of a short run disagree on, with telemetry deaf to one hook or to none. */
async function disagreements(seed: number, deafTo?: Hook): Promise<string[]> {
  const play = startPlay({
    seed,
    contexts: 20_000,
    population: 500,
    names: 60,
    maxNames: 50,
    chain: 100,
    durationByName: false,
  });
  if (deafTo !== undefined) drop(deafTo);
  const exit = await openOtlp(play.telemetry, 'cumulative');
  try {
    await play.goOn(1);
    return differences(play.tallied(), await exit.read());
  } finally {
    await exit.close();
    await play.close();
  }
}

test('dropping any one hook makes the figures disagree with the tally, and dropping none does not', async () => {
  const seed = seedOfRun();
  const hooks = heard();
  expect(hooks).toEqual(expect.arrayContaining(['contextStarted', 'contextEnded', 'cancellationDelivered']));
  expect(await disagreements(seed)).toEqual([]);
  const unnoticed: Hook[] = [];
  for (const hook of hooks) if ((await disagreements(seed, hook)).length === 0) unnoticed.push(hook);
  expect(unnoticed).toEqual([]);
}, 120_000);
