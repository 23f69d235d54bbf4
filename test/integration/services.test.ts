import type { ReceivedSpan } from './otlp-receiver';
import { SERVICES } from '../../packages/demo/dist/system';
import {
  ask,
  growth,
  nameOf,
  newTrace,
  quietScrapes,
  spansOf,
  startServices,
  until,
  type Ask,
  type Asked,
  type Scrapes,
  type Services,
} from './services';

const REASON = 'curfew_cancel_reason';
const ORIGIN = 'curfew_cancel_origin';
const NAME = 'curfew_context_name';
const SERVER = 2;

jest.setTimeout(60_000);

let services: Services;
beforeAll(async () => {
  services = await startServices({ CURFEW_ORPHAN_GRACE: '100' });
  // Connections and caches are warm from here on, so that 200 ms are enough to reach the database.
  for (let id = 1; id <= 5; id++)
    expect((await ask(services, { id, path: `/orders/${id}` })).status).toBe(200);
});
afterAll(() => services.stop());

/** Asks, and tells by how much the counts grew. */
async function observe(asked: Ask): Promise<{ asked: Asked; counts: readonly [Scrapes, Scrapes] }> {
  const before = await quietScrapes(services);
  const result = await ask(services, asked);
  return { asked: result, counts: [before, await quietScrapes(services)] };
}

let nextId = 1_000;

/**
 * A request whose budget is 200 ms, observed. A close counts as the deadline if it comes within 20 ms of it by the
 * receiver's clock, which starts when the request arrives: on a machine that stalls for longer than that on the way,
 * or does not reach the database at all, a round proves nothing, and there is another one.
 */
async function observePrompt(make: (id: number) => Ask): ReturnType<typeof observe> {
  for (;;) {
    const { traceId, headers } = newTrace();
    const asked = make(nextId++);
    const observed = await observe({ ...asked, headers: { ...asked.headers, ...headers } });
    if (observed.asked.reachedDatabase && (await slowestHop(traceId)) < 0.01) return observed;
  }
}

/** The longest time between a call and its arrival, in seconds: all processes share the machine's clock. */
async function slowestHop(traceId: string): Promise<number> {
  const spans = await spansOf(
    services,
    traceId,
    (found) => serversOf(found).length === 3 && found.length >= 5,
  );
  const hops = serversOf(spans).flatMap((server) => {
    const caller = spans.find((span) => span.spanId === server.parentSpanId);
    return caller === undefined ? [] : [server.start - caller.start];
  });
  expect(hops).toHaveLength(2);
  return Math.max(...hops);
}

function serversOf(spans: readonly ReceivedSpan[]): ReceivedSpan[] {
  return spans.filter((span) => span.kind === SERVER);
}

test('a client that hangs up stops the query three services down, and each service counts it once', async () => {
  const { traceId, headers } = newTrace();
  const { asked, counts } = await observe({ id: 100, path: '/orders/100?sleep=3', headers, hangUp: true });
  expect(asked).toMatchObject({ fate: 'hungUp', reachedDatabase: true });
  await services.database.idle();

  for (const name of SERVICES) {
    const family = nameOf('cancellations');
    const labels = { [NAME]: 'http.server', [REASON]: 'canceled', [ORIGIN]: 'client_disconnect' };
    expect([name, growth(counts, name, family, labels)]).toEqual([name, 1]);
    expect([name, growth(counts, name, family)]).toEqual([name, 1]);
  }
  // Counted when the server has stopped, which is after the context's end.
  const stopped = { curfew_backend_cancel_outcome: 'canceled' };
  await until(async () => {
    const now = [counts[0], await quietScrapes(services)] as const;
    return growth(now, 'inventory', `${nameOf('backendCancel')}_count`, stopped) === 1;
  });

  const spans = await spansOf(services, traceId, (found) => {
    return serversOf(found).length >= 3 && found.filter((span) => span.name === 'curfew.cancel').length >= 3;
  });
  for (const name of SERVICES) {
    const own = spans.filter((span) => span.service === name);
    const servers = serversOf(own);
    expect(servers).toHaveLength(1);
    expect(servers[0]).toMatchObject({
      status: 0,
      attributes: { 'curfew.cancel.reason': 'canceled', 'curfew.cancel.origin': 'client_disconnect' },
    });
    expect(servers[0]?.events.map((event) => event.name)).toEqual(['curfew.context.canceled']);
    expect(own.filter((span) => span.name === 'curfew.cancel')).toHaveLength(1);
  }
});

describe('a deadline of 200 ms at the gateway is deadline_exceeded everywhere, never canceled', () => {
  test.each([
    [
      'whether the client brought it',
      (id: number): Ask => ({
        id,
        path: `/orders/${id}?sleep=3`,
        headers: { 'x-request-timeout-ms': '200' },
      }),
      'http.server',
    ],
    ['or the gateway set it', (id: number): Ask => ({ id, path: `/quotes/${id}?sleep=3&ms=200` }), 'quote'],
  ])('%s', async (_, make, contextName) => {
    const { asked, counts } = await observePrompt(make);
    expect(asked).toMatchObject({ fate: 'timedOut', status: 504 });
    await services.database.idle();

    const family = nameOf('cancellations');
    for (const name of SERVICES) {
      const labels = {
        [NAME]: name === 'gateway' ? contextName : 'http.server',
        [REASON]: 'deadline_exceeded',
      };
      expect([name, growth(counts, name, family, labels)]).toEqual([name, 1]);
      expect([name, growth(counts, name, family)]).toEqual([name, 1]);
      expect([name, growth(counts, name, family, { [REASON]: 'canceled' })]).toEqual([name, 0]);
    }
    expect(growth(counts, 'gateway', family, { [ORIGIN]: 'deadline' })).toBe(1);

    // One request, so that the sum of what arrived is its budget, in seconds.
    const budget = (name: (typeof SERVICES)[number]) => growth(counts, name, `${nameOf('remaining')}_sum`);
    expect(budget('inventory')).toBeGreaterThan(0);
    expect(budget('inventory')).toBeLessThan(budget('orders'));
    expect(budget('orders')).toBeLessThan(0.2);
    if (contextName === 'http.server') expect(budget('gateway')).toBeCloseTo(0.2, 9);
  });
});

test('a legacy handler is one orphan, and its wasted time is what it ran on by its own clock', async () => {
  const { headers, traceId } = newTrace();
  const before = await quietScrapes(services);
  const { status, body } = await ask(services, { id: 7, path: '/legacy/7?ms=800', headers });
  expect([status, JSON.parse(body)]).toEqual([200, { price: 12, estimated: true }]);
  const ranOn = await until(async () => {
    const answer = await fetch(`${services.system.services.orders.url}/legacy`);
    const { runs, ranOnMs } = (await answer.json()) as { runs: number; ranOnMs: number };
    return runs === 1 ? ranOnMs / 1_000 : undefined;
  });
  const counts = [before, await quietScrapes(services)] as const;
  const labels = { curfew_operation_kind: 'internal', [REASON]: 'deadline_exceeded' };
  for (const name of SERVICES) {
    const expected = name === 'orders' ? 1 : 0;
    expect([name, growth(counts, name, nameOf('orphans'))]).toEqual([name, expected]);
    expect([name, growth(counts, name, nameOf('orphans'), labels)]).toEqual([name, expected]);
  }
  expect(Math.abs(growth(counts, 'orders', nameOf('orphanTime'), labels) - ranOn)).toBeLessThan(0.05);
  expect(growth(counts, 'orders', nameOf('orphansActive'))).toBe(0);

  const spans = await spansOf(services, traceId, (found) =>
    found.some((span) => span.name === 'curfew.orphan'),
  );
  const orphans = spans.filter((span) => span.name === 'curfew.orphan');
  expect(orphans).toHaveLength(1);
  expect(orphans[0]).toMatchObject({ service: 'orders' });
  expect(Math.abs((orphans[0]?.duration ?? 0) - ranOn)).toBeLessThan(0.05);
});

test('a middleware that starts from a fresh background is one broken chain, in the gateway alone', async () => {
  const { asked, counts } = await observe({ id: 8, path: '/audited/8' });
  expect(asked.status).toBe(200);
  const grown = SERVICES.map((name) =>
    growth(counts, name, nameOf('breaks'), { curfew_break_cause: 'background' }),
  );
  expect(grown).toEqual([1, 0, 0]);
  expect(SERVICES.map((name) => growth(counts, name, nameOf('breaks')))).toEqual([1, 0, 0]);
});
