import { createServer } from 'node:http';
import { background, isCanceled, isDeadlineExceeded, scope } from '@curfew/context';
import express, { type NextFunction, type Request, type Response } from 'express';
import { setTimeout as delay } from 'node:timers/promises';
import { lineFor } from './fault';
import { live, numberFrom } from './lifeline';
import { listen } from './listen';
import { queryNumber } from './query-number';

const orders = process.env.UPSTREAM_URL ?? 'http://127.0.0.1:8081';

const app = express();

app.get('/healthz', (_, response) => void response.json({ ok: true }));

/** An order, and what its line in the database waits for: `?sleep=3` holds it there for three seconds. */
app.get('/orders/:id', (request, response) => relay(response, orderUrl(request)));

/** The same with a deadline of the gateway's own: `?ms=200`. */
app.get('/quotes/:id', async (request, response) => {
  const timeout = queryNumber(request.query.ms, 200, 60_000);
  if (timeout === undefined) return void response.status(400).json({ error: 'ms takes 0 to 60000' });
  await scope({ timeout, name: 'quote' }, () => relay(response, orderUrl(request)));
});

/** A price from a library that ignores cancellation. */
app.get('/legacy/:id', (request, response) =>
  relay(
    response,
    `${orders}/legacy/${segment(request)}?ms=${encodeURIComponent(text(request.query.ms, '2500'))}`,
  ),
);

/** An order behind a middleware that breaks the chain. */
app.get('/audited/:id', audit, (request, response) => relay(response, orderUrl(request)));

/** A job that never ends its context. */
app.post('/reports', (_, response) => relay(response, `${orders}/reports`, { method: 'POST' }));

function audit(_: Request, __: Response, next: NextFunction): void {
  // The bug on show: a fresh background within a request. Neither its deadline nor its end reaches the audit.
  scope(background(), { timeout: 1_000, name: 'audit' }, () => delay(20)).catch(() => {});
  next();
}

async function relay(response: Response, url: string, init?: RequestInit): Promise<void> {
  const answer = await fetch(url, init);
  response
    .status(answer.status)
    .type(answer.headers.get('content-type') ?? 'text')
    .send(await answer.text());
}

function orderUrl(request: Request): string {
  return `${orders}/orders/${segment(request)}?sleep=${encodeURIComponent(text(request.query.sleep, '0'))}`;
}

function segment(request: Request): string {
  return encodeURIComponent(text(request.params.id, ''));
}

function text(value: unknown, fallback: string): string {
  return typeof value === 'string' ? value : fallback;
}

app.use((error: unknown, _: Request, response: Response, __: NextFunction) => {
  // Nobody is there to read an answer, or the answer was given at the deadline.
  if (response.headersSent || response.destroyed || isCanceled(error)) return;
  const late = isDeadlineExceeded(error);
  // What fetch throws says only that it failed; its cause says why.
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  response.status(late ? 504 : 502).json({ error: late ? 'deadline exceeded' : lineFor(cause) });
});

void live(() => listen(createServer(app), numberFrom('PORT', 8080)));
