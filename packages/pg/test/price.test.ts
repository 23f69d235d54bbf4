import { createHook } from 'node:async_hooks';
import { context, ROOT_CONTEXT, trace } from '@opentelemetry/api';
import { background, withCancel, withTimeout } from '@curfew/context';
import { query } from '@curfew/pg';
import type pg from 'pg';
import { useCountingClock } from '../../../test/counting-clock';
import { coveredDatabase } from './database';

// What a query costs, as far as it can be counted: such figures are the same on every machine.

const db = coveredDatabase();

/** Counts async resources of ours and how often something runs in them, readings of the clock, and its timers. */
async function countWhile(work: () => Promise<unknown>) {
  const counted = { resources: 0, entered: 0, readings: 0, timers: 0 };
  const ours = new Set<number>();
  const hook = createHook({
    init(id, type) {
      if (!type.startsWith('CURFEW_')) return;
      ours.add(id);
      counted.resources++;
    },
    before(id) {
      if (ours.has(id)) counted.entered++;
    },
  });
  const restore = useCountingClock(counted);
  hook.enable();
  await work();
  hook.disable();
  restore();
  return counted;
}

const NOTHING = { resources: 0, entered: 0, readings: 0, timers: 0 };
const MANY_ROWS = 'SELECT generate_series(1, 100)';
const traced = trace.setSpanContext(ROOT_CONTEXT, {
  traceId: 'a'.repeat(32),
  spanId: 'b'.repeat(16),
  traceFlags: 1,
});

const ways: [string, (ctx: typeof ROOT_CONTEXT, target: pg.Pool) => Promise<unknown>][] = [
  ['without a change of code', (ctx, target) => context.with(ctx, () => target.query(MANY_ROWS))],
  ['given its context', (ctx, target) => query(ctx, target, MANY_ROWS)],
];

test.each(['pool', 'client'])('a query on a %s that nothing can end makes nothing of ours', async (on) => {
  const pool = db.open.pool();
  const client = await pool.connect();
  const target = on === 'pool' ? pool : (client as unknown as pg.Pool);
  if (on === 'pool') client.release();
  for (const ctx of [ROOT_CONTEXT, background(), traced]) {
    const counted = await countWhile(() => context.with(ctx, () => target.query(MANY_ROWS)));
    expect(counted).toEqual(NOTHING);
  }
  if (on === 'client') client.release();
});

test.each(ways)(
  'on a pool, %s, it makes one async resource, entered for its client and its end, whatever its rows',
  async (_, ask) => {
    const pool = db.open.pool({ max: 1 });
    await pool.query('SELECT 1');
    const [live] = withCancel(background());
    expect(await countWhile(() => ask(live, pool))).toEqual({ ...NOTHING, resources: 1, entered: 2 });
    const [limited, release] = withTimeout(background(), 3_600_000);
    // It looks before it waits, as it begins to listen, as a client comes, and as the query is made, followed and sent.
    const counted = await countWhile(() => ask(limited, pool));
    expect(counted).toEqual({ resources: 1, entered: 2, readings: 6, timers: 0 });
    release();
  },
);

test.each(ways)(
  'on a client, %s, it makes one async resource, entered for its end, whatever its rows',
  async (_, ask) => {
    const client = await db.open.pool().connect();
    const target = client as unknown as pg.Pool;
    const [live] = withCancel(background());
    expect(await countWhile(() => ask(live, target))).toEqual({ ...NOTHING, resources: 1, entered: 1 });
    const [limited, release] = withTimeout(background(), 3_600_000);
    const counted = await countWhile(() => ask(limited, target));
    expect(counted).toEqual({ resources: 1, entered: 1, readings: 3, timers: 0 });
    release();
    client.release();
  },
);

test('a query leaves no listener behind, on its client and at its context, whose signal it does not make', async () => {
  const pool = db.open.pool({ max: 1 });
  const client = await pool.connect();
  const listeners = () => client.eventNames().map((event) => [event, client.listenerCount(event)]);
  client.release();
  const before = listeners();
  const [live] = withCancel(background());
  for (const [, ask] of ways) await ask(live, pool);
  expect(listeners()).toEqual(before);
  expect(live).toMatchObject({ firstCallback: undefined, controller: undefined });
});
