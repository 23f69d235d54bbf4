import type { Telemetry } from '@curfew/telemetry';
import { differences } from './forest/differences';
import { openOtlp, openPromClient, openPrometheus, type Exit } from './forest/exits';
import { CUT_DEPTH } from './forest/forest';
import { startPlay, type Play } from './forest/play';
import { seedOfRun } from './forest/random';
import type { Samples } from './forest/tally';
import { FAMILIES } from './forest/text';

/** The sum of all series of a family whose labels hold a text. */
function total(samples: Samples, family: string, label = ''): number {
  let sum = 0;
  for (const [key, value] of samples) if (key.startsWith(`${family}{`) && key.includes(label)) sum += value;
  return sum;
}

const WAYS = [
  ['OTLP bytes, deltas added up', (telemetry: Telemetry) => openOtlp(telemetry, 'delta')],
  ['OTLP bytes, cumulative', (telemetry: Telemetry) => openOtlp(telemetry, 'cumulative')],
  ["/metrics of OpenTelemetry's exporter", (telemetry: Telemetry) => openPrometheus(telemetry)],
  ["prom-client's text", (telemetry: Telemetry) => openPromClient(telemetry, 'plain')],
  ["prom-client's OpenMetrics", (telemetry: Telemetry) => openPromClient(telemetry, 'OpenMetrics')],
] as const;

describe('1,000,000 contexts that end in every way there is', () => {
  const contexts = 1_000_000;
  let play: Play;
  const exits: Exit[] = [];
  let tallied: Samples;
  /** What the deltas had come to at each stop, against the tally of that moment. */
  const onTheWay: string[][] = [];

  beforeAll(async () => {
    play = startPlay({
      seed: seedOfRun(),
      contexts,
      population: 3000,
      names: 1000,
      maxNames: 800,
      chain: 10_100,
      durationByName: false,
    });
    for (const [, open] of WAYS) exits.push(await open(play.telemetry));
    // The second stop is in the stretch of observe mode.
    for (const share of [0.25, 0.42, 0.7]) {
      await play.goOn(share);
      onTheWay.push(differences(play.tallied(), (await exits[0]?.read()) ?? new Map()));
    }
    await play.goOn(1);
    tallied = play.tallied();
  }, 120_000);

  afterAll(async () => {
    for (const exit of exits) await exit.close();
    await play.close();
  });

  test.each(WAYS.map(([name], index) => [name, index] as const))(
    '%s: every figure equals the independent tally, and the sums obey the law',
    async (_, index) => {
      const told = (await exits[index]?.read()) ?? new Map<string, number>();
      expect(differences(tallied, told)).toEqual([]);
      const ended = total(told, 'curfew.context.ended');
      expect(ended + total(told, 'curfew.context.active')).toBeGreaterThanOrEqual(contexts);
      expect(ended).toBe(
        total(told, 'curfew.context.ended', '"completed"') +
          total(told, 'curfew.context.cancellations') +
          total(told, 'curfew.cancel.fanout_sum'),
      );
    },
  );

  test('in the middle of the run, in observe mode too, the figures equal the tally of that moment', () => {
    expect(onTheWay).toEqual([[], [], []]);
  });

  test('the run had all that it is meant to have', () => {
    const { depths, reentrant } = play.seen;
    const untouched = Array.from({ length: CUT_DEPTH }, (_, depth) => depth).filter(
      (depth) => !depths.has(depth),
    );
    expect(untouched).toEqual([]);
    expect(Math.max(...depths)).toBeGreaterThan(1000);
    expect(reentrant).toBeGreaterThan(1000);
    expect(
      [...tallied.keys()].filter((key) => key.startsWith('curfew.context.ended{')).length,
    ).toBeGreaterThan(2000);
    // More than 10,000 descendants at once, from the one deep chain.
    const [all, most] = ['Infinity', '10000'].map((bound) =>
      tallied.get(`curfew.cancel.fanout_bucket{curfew_cancel_reason="canceled"} <= ${bound}`),
    );
    expect(all).toBeGreaterThan(most as number);
    for (const by of ['timer', 'check'])
      expect(total(tallied, 'curfew.deadline.lateness_sum', by)).toBeGreaterThan(1);
    for (const limit of ['name', 'kind', 'source', 'span']) {
      expect(total(tallied, 'curfew.sdk.overflows', limit)).toBeGreaterThan(100);
    }
    for (const origin of ['"deadline"', '"client_disconnect"', '"caller"']) {
      expect(total(tallied, 'curfew.cancel.observed', `origin=${origin}`)).toBeGreaterThan(20);
    }
    expect(total(tallied, 'curfew.orphan.active')).toBeGreaterThan(100);
    expect(total(tallied, 'curfew.context.lingering')).toBeGreaterThan(0);
    // Nothing throws, and what is lost is known to the garbage collector alone.
    const unfed = FAMILIES.filter(
      (family) => ![...tallied.keys()].some((key) => new RegExp(`^${family}(_count)?{`).test(key)),
    );
    expect(unfed).toEqual(['curfew.context.lost', 'curfew.sdk.hook.errors']);
  });
});

test('with durations kept by name, every figure equals the independent tally all the same', async () => {
  const play = startPlay({
    seed: seedOfRun(),
    contexts: 30_000,
    population: 1000,
    names: 60,
    maxNames: 50,
    chain: 500,
    durationByName: true,
  });
  const exits: Exit[] = [];
  try {
    for (const [, open] of WAYS) exits.push(await open(play.telemetry));
    // Deltas are what came since the last collection: there has to have been one.
    await play.goOn(0.5);
    await exits[0]?.read();
    await play.goOn(1);
    const tallied = play.tallied();
    const differs = [];
    for (const exit of exits) differs.push(differences(tallied, await exit.read()));
    expect(differs).toEqual(WAYS.map(() => []));
  } finally {
    for (const exit of exits) await exit.close();
    await play.close();
  }
});
