import { background, isCanceled, withCancel } from '@curfew/context';
import { query, type PgOptions } from '@curfew/pg';
import { Client } from 'pg';
import { database } from './database';
import { proxy, rejection, until, type HeldCancel } from './support';

const db = database();

type Timers = ReturnType<typeof watchTimers>;

/** Notes the timers that are set from now on, and those that are cleared. */
function watchTimers() {
  const set = jest.spyOn(globalThis, 'setTimeout');
  const cleared = jest.spyOn(globalThis, 'clearTimeout');
  const delays = () => set.mock.calls.map(([, ms]) => ms);
  return {
    delays,
    /** Whether the last timer of so many milliseconds has been cleared. */
    isCleared(ms: number): boolean {
      const timer: unknown = set.mock.results[delays().lastIndexOf(ms)]?.value;
      return timer !== undefined && cleared.mock.calls.some(([each]) => each === timer);
    },
  };
}

afterEach(() => jest.restoreAllMocks());

/** Cancels a query that only a cancel ends, whose cancels are in the hands of the test. */
async function cancelling(
  tag: string,
  options: PgOptions,
  onCancel: (cancel: HeldCancel, timers: Timers) => void,
) {
  const timers = watchTimers();
  const between = await proxy(db.postgres.port, (cancel) => onCancel(cancel, timers));
  const { user, password, database: name, host } = db.postgres;
  const client = new Client({ user, password, database: name, host, port: between.port });
  client.on('error', () => undefined);
  await client.connect();
  const [ctx, cancel] = withCancel(background());
  const running = rejection(query(ctx, client, `SELECT pg_sleep(600) /* ${tag} */`, [], options));
  await db.server.running(tag);
  cancel(new Error('hung up'));
  const end = async () => {
    await client.end();
    await between.close();
  };
  return { timers, client, running, end };
}

test('a cancel that had no effect is sent again after 50 ms, and after twice as long each time', async () => {
  let dropped = 0;
  const { timers, running, end } = await cancelling('again', {}, (cancel) => {
    if (++dropped < 4) cancel.drop();
    else cancel.forward();
  });
  expect(isCanceled(await running)).toBe(true);
  // The fourth is delivered, maybe before the query says so: it counts as one that may have no effect, too.
  const repeats = timers.delays().filter((ms) => [50, 100, 200].includes(ms ?? 0));
  expect(repeats).toEqual([50, 100, 200]);
  await end();
});

test('unless told otherwise a cancel has two seconds, and the query five', async () => {
  const { timers, running, end } = await cancelling('default', {}, (cancel) => cancel.forward());
  expect(isCanceled(await running)).toBe(true);
  expect(timers.delays()).toEqual(expect.arrayContaining([2_000, 5_000]));
  await end();
});

test('both have as long as they are told, and no longer than a timer can wait', async () => {
  const options = { cancelTimeout: 61_000, grace: 2 ** 40 };
  const { timers, running, end } = await cancelling('told', options, (cancel) => cancel.forward());
  expect(isCanceled(await running)).toBe(true);
  expect(timers.delays()).toEqual(expect.arrayContaining([61_000, 2 ** 31 - 1]));
  expect(timers.delays()).not.toContain(2 ** 40);
  await end();
});

test('once the query has settled, no timer stands that could cancel or end what comes next', async () => {
  const { timers, client, running, end } = await cancelling('over', { grace: 62_000 }, (cancel) =>
    cancel.drop(),
  );
  await until('a cancel is to be sent again', () => timers.delays().includes(400));
  await db.server.cancel('over');
  expect(isCanceled(await running)).toBe(true);
  const last = Math.max(...timers.delays().filter((ms): ms is number => [400, 800, 1_600].includes(ms ?? 0)));
  expect([timers.isCleared(last), timers.isCleared(62_000)]).toEqual([true, true]);
  expect((await client.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
  await end();
});
