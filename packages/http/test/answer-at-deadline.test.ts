import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import http, { type IncomingMessage } from 'node:http';
import { background, isDeadlineExceeded, run, withTimeout } from '@curfew/context';
import { isAutomatic, retire, setGuard } from '@curfew/context/spi';
import { fetch as fetchUnder, instrumentFetch, instrumentHttpRequest, request } from '@curfew/http';
import { useManualClock, type ManualClock } from '../../../test/manual-clock';
import { closeAll, listen, useContextManager } from './servers';

let undo: (() => unknown)[];
let clock: ManualClock;

beforeEach(() => {
  const manual = useManualClock();
  clock = manual.clock;
  undo = [useContextManager(), manual.restore, instrumentFetch(), instrumentHttpRequest()];
});
afterEach(async () => {
  await closeAll();
  for (const each of undo.reverse()) each();
});

const BUDGET = 100;

const CHANNELS = ['undici:request:headers', 'http.client.response.finish'];

/** A server that answers when so much of the budget is gone; our timer fires once the answer is here. */
const answering = (status: number, after: number) =>
  listen((_incoming, response) => {
    clock.block(after);
    response.writeHead(status).end('its answer');
  });

const byFetch = async (url: string) => (await fetch(url)).status;

const byHttp = (url: string) =>
  new Promise<number | undefined>((resolve, reject) => {
    http
      .get(url, (response: IncomingMessage) => {
        response.resume().on('error', reject);
        resolve(response.statusCode);
      })
      .on('error', reject);
  });

describe.each([
  ['fetch', byFetch],
  ['http.get', byHttp],
])('%s', (_name, call) => {
  const outcome = async (status: number, after: number) => {
    const url = await answering(status, after);
    const [ctx, cancel] = withTimeout(background(), BUDGET);
    const answer = await run(ctx, () => call(url)).catch((error: unknown) => error);
    cancel();
    return answer;
  };

  test.each([504, 500])(
    'fails by its own deadline where that is what the server answers: %i',
    async (status) => {
      const error = await outcome(status, BUDGET);
      expect([isAutomatic(error), isDeadlineExceeded(error)]).toEqual([true, true]);
    },
  );

  test('fails so where the server, which was told whole milliseconds, was the first to notice', async () => {
    const url = await answering(504, BUDGET - 0.5);
    // Once the answer has been seen.
    const later = () => void setImmediate(() => clock.block(0.5));
    for (const channel of CHANNELS) subscribe(channel, later);
    undo.push(() => CHANNELS.forEach((channel) => unsubscribe(channel, later)));
    const [ctx] = withTimeout(background(), BUDGET);
    const error = await run(ctx, () => call(url)).catch((thrown: unknown) => thrown);
    expect(isAutomatic(error)).toBe(true);
  });

  test('gets the answer of a server that had time left, or had done its work', async () => {
    expect(await outcome(504, BUDGET - 5)).toBe(504);
    expect(await outcome(200, BUDGET - 0.5)).toBe(200);
  });

  test('gets it a moment later, where the deadline goes meanwhile', async () => {
    const url = await answering(504, BUDGET - 0.5);
    const [ctx] = withTimeout(background(), BUDGET);
    const answer = run(ctx, () => call(url));
    setImmediate(() => retire(ctx));
    expect(await answer).toBe(504);
  });
});

test('a call that may not be ended is told no budget, by which its server would end it', async () => {
  const budgets: unknown[] = [];
  const url = await listen(({ headers }, response) => {
    budgets.push(headers['x-request-timeout-ms']);
    response.end();
  });
  const [ctx, cancel] = withTimeout(background(), BUDGET);
  const both = () => run(ctx, async () => [await byFetch(url), await byHttp(url)]);
  await both();
  const restore = setGuard(false);
  await both();
  restore();
  cancel();
  expect(budgets).toEqual(['100', '100', undefined, undefined]);
});

test('the explicit forms hand on whatever the server says', async () => {
  const url = await answering(504, BUDGET - 0.5);
  const [ctx, cancel] = withTimeout(background(), BUDGET);
  expect((await fetchUnder(ctx, url)).status).toBe(504);
  cancel();
  const [other] = withTimeout(background(), BUDGET);
  const response = await new Promise<IncomingMessage>((resolve) => request(other, url, resolve).end());
  expect(response.resume().statusCode).toBe(504);
});
