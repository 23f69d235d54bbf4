import { sumOf, type Sample } from '../../packages/demo/src/board/exposition';
import { SERVICES, type ServiceName } from '../../packages/demo/dist/system';
import { ask, nameOf, quietScrapes, startServices, type Ask, type Services } from './services';

jest.setTimeout(180_000);

/**
 * A service tells a deadline from a hang-up by its own clock, which starts when the request arrives: within a tenth
 * of the budget a close counts as the deadline. So the budget is ten times what a request may take to arrive while
 * the machine is busy with other tests.
 */
const BUDGET_MS = 4_000;

/** Requests that come before all others, while connections open and code is compiled. */
const WARM_UP = 50;

/** The kinds of requests, how many of each, and what their client must have seen. */
const KINDS = {
  finish: { count: 600, fate: 'answered', path: (id: number) => `/orders/${id}` },
  audited: { count: 50, fate: 'answered', path: (id: number) => `/audited/${id}` },
  legacy: { count: 50, fate: 'answered', path: (id: number) => `/legacy/${id}?ms=400` },
  hangUp: { count: 140, fate: 'hungUp', path: (id: number) => `/orders/${id}?sleep=30` },
  // The gateway derives a context of its own here, which the hang-up ends too: a fan-out of one.
  quoteHangUp: { count: 100, fate: 'hungUp', path: (id: number) => `/quotes/${id}?sleep=30&ms=60000` },
  clientDeadline: { count: 30, fate: 'timedOut', path: (id: number) => `/orders/${id}?sleep=30` },
  quoteDeadline: {
    count: 30,
    fate: 'timedOut',
    path: (id: number) => `/quotes/${id}?sleep=30&ms=${BUDGET_MS}`,
  },
} as const;

type Kind = keyof typeof KINDS;

interface Job extends Ask {
  readonly kind: Kind;
}

/** All requests, one kind spread among the others. */
function jobs(): Job[] {
  const all = Object.entries(KINDS).flatMap(([kind, { count }]) =>
    Array.from({ length: count }, (_, index) => ({ kind: kind as Kind, at: (index + 0.5) / count })),
  );
  all.sort((a, b) => a.at - b.at);
  const warmUp = all.filter(({ kind }) => kind === 'finish').slice(0, WARM_UP);
  const rest = all.filter((job) => !warmUp.includes(job));
  return [...warmUp, ...rest].map(({ kind }, index) => ({
    kind,
    id: index + 1,
    path: KINDS[kind].path(index + 1),
    headers: kind === 'clientDeadline' ? { 'x-request-timeout-ms': String(BUDGET_MS) } : {},
    hangUp: KINDS[kind].fate === 'hungUp',
  }));
}

/** Counts as `name outcome`, for what has any. */
function outcomes(samples: readonly Sample[]): Record<string, number> {
  const ended = samples.filter((sample) => sample.name === nameOf('ended') && sample.value > 0);
  return Object.fromEntries(
    ended.map(({ labels, value }) => [
      `${labels.curfew_context_name} ${labels.curfew_context_outcome}`,
      value,
    ]),
  );
}

let services: Services;
beforeAll(async () => {
  services = await startServices({ CURFEW_ORPHAN_GRACE: '50', OTEL_TRACES_EXPORTER: 'none' });
});
afterAll(() => services.stop());

test('1,000 requests of known fate: the tally of their clients is what each service counted, exactly', async () => {
  const tally = Object.fromEntries(Object.keys(KINDS).map((kind) => [kind, 0])) as Record<Kind, number>;
  const queue = jobs();
  expect(queue).toHaveLength(1_000);
  const unknown: unknown[] = [];
  const client = async () => {
    for (let job = queue.shift(); job !== undefined; job = queue.shift()) {
      const { fate, status, reachedDatabase } = await ask(services, job);
      // Who waits in the database is known to have come through all three services.
      const known = fate === KINDS[job.kind].fate && (fate === 'answered' || reachedDatabase);
      if (known) tally[job.kind]++;
      else unknown.push({ kind: job.kind, fate, status, reachedDatabase });
    }
  };
  // Fewer than the connections of the inventory's pool: nobody waits for one.
  await Promise.all(Array.from({ length: 16 }, client));
  expect(unknown).toEqual([]);
  expect(tally).toEqual(Object.fromEntries(Object.entries(KINDS).map(([kind, { count }]) => [kind, count])));

  const scraped = await quietScrapes(services);
  const { finish, audited, legacy, hangUp, quoteHangUp, clientDeadline, quoteDeadline } = tally;
  const expected: Record<ServiceName, Record<string, number>> = {
    gateway: {
      'http.server completed': finish + audited + legacy + quoteDeadline,
      'http.server canceled': hangUp + quoteHangUp,
      'http.server deadline_exceeded': clientDeadline,
      'quote canceled': quoteHangUp,
      'quote deadline_exceeded': quoteDeadline,
      'audit completed': audited,
    },
    orders: {
      'http.server completed': finish + audited + legacy,
      'http.server canceled': hangUp + quoteHangUp,
      'http.server deadline_exceeded': clientDeadline + quoteDeadline,
      'legacy.price deadline_exceeded': legacy,
    },
    inventory: {
      'http.server completed': finish + audited,
      'http.server canceled': hangUp + quoteHangUp,
      'http.server deadline_exceeded': clientDeadline + quoteDeadline,
    },
  };
  for (const name of SERVICES) {
    expect([name, outcomes(scraped[name])]).toEqual([name, expected[name]]);
  }

  // Every end is one that completed, started a cancellation, or was reached by one.
  for (const name of SERVICES) {
    const total = (family: string, labels = {}) => sumOf(scraped[name], family, labels);
    const completed = total(nameOf('ended'), { curfew_context_outcome: 'completed' });
    const fanout = total(`${nameOf('fanout')}_sum`);
    expect([name, total(nameOf('ended'))]).toEqual([
      name,
      completed + total(nameOf('cancellations')) + fanout,
    ]);
    expect([name, fanout]).toEqual([name, name === 'gateway' ? quoteHangUp : 0]);
  }
  expect(sumOf(scraped.gateway, nameOf('breaks'))).toBe(audited);
  await services.database.idle();
});
