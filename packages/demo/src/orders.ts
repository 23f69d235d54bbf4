import { request } from 'node:http';
import { active, isCanceled, isDeadlineExceeded, scope, withCancel, withoutCancel } from '@curfew/context';
import fastify from 'fastify';
import { lineFor } from './fault';
import { priceOf } from './legacy-pricing';
import { live, numberFrom } from './lifeline';
import { host } from './listen';
import { isId, queryNumber } from './query-number';

const inventory = process.env.UPSTREAM_URL ?? 'http://127.0.0.1:8082';

/** How long a price may take before the list price is quoted instead. */
const PRICE_BUDGET_MS = 200;
const LIST_PRICE = 12;

const app = fastify({ forceCloseConnections: true });

app.get('/healthz', async () => ({ ok: true }));

interface ById {
  Params: { id: string };
  Querystring: Record<string, string | undefined>;
}

app.get<ById>('/orders/:id', async ({ params, query }, reply) => {
  if (!isId(params.id)) return reply.code(400).send({ error: 'an id takes up to 9 digits' });
  const sleep = encodeURIComponent(query.sleep ?? '0');
  const stock = await get(`${inventory}/stock/${params.id}?sleep=${sleep}`);
  if (stock.status !== 200) return reply.code(stock.status).send(stock.body);
  const { onHand } = JSON.parse(stock.body) as { onHand: number };
  return { order: params.id, onHand };
});

/** What the legacy library ran on for after nobody waited any more, by this service's own clock. */
const legacy = { runs: 0, ranOnMs: 0 };

app.get<ById>('/legacy/:id', async ({ params, query }, reply) => {
  const milliseconds = queryNumber(query.ms, 2_500, 10_000);
  if (!isId(params.id) || milliseconds === undefined) {
    return reply.code(400).send({ error: 'the id takes up to 9 digits, ms 0 to 10000' });
  }
  try {
    const price = await scope({ timeout: PRICE_BUDGET_MS, name: 'legacy.price' }, async () => {
      const started = performance.now();
      const found = await priceOf(Number(params.id), milliseconds);
      legacy.runs++;
      legacy.ranOnMs += Math.max(0, performance.now() - started - PRICE_BUDGET_MS);
      return found;
    });
    return { price, estimated: false };
  } catch (error) {
    if (!isDeadlineExceeded(error)) throw error;
    // The customer gets an answer in time; the library, which was never told, works on.
    return { price: LIST_PRICE, estimated: true };
  }
});

app.get('/legacy', async () => legacy);

app.post('/reports', async (_, reply) => {
  // The bug on show: a job detached from its request, whose context nobody ends. It lingers.
  const [ctx] = withCancel(withoutCancel(active()), { name: 'report' });
  ctx.throwIfDone();
  return reply.code(202).send({ accepted: true });
});

app.setErrorHandler((error, _, reply) => {
  // Nobody is there to read an answer, or the answer was given at the deadline.
  if (reply.raw.headersSent || reply.raw.destroyed || isCanceled(error)) return reply.hijack();
  const late = isDeadlineExceeded(error);
  return reply.code(late ? 504 : 502).send({ error: late ? 'deadline exceeded' : lineFor(error) });
});

/** A plain GET, as code from before fetch does it. The signal and the budget go along by themselves. */
function get(url: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (body += chunk));
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode ?? 502, body }));
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
}

void live(async () => ({
  address: await app.listen({ port: numberFrom('PORT', 8081), host }),
  end: () => app.close(),
}));
