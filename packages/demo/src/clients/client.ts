import { Agent, request } from 'node:http';
import type { Scenario } from './scenarios';
import type { Fate } from './tally';

/** Connections of the clients, kept open between requests as browsers and proxies do. */
export const clients = new Agent({ keepAlive: true });

/** What a client knows of its request afterwards. */
export interface Experience {
  readonly fate: Fate;
  /** `undefined` where no answer came. */
  readonly status: number | undefined;
  readonly body: string;
}

/**
 * Sends one request, as a client that has never heard of Curfew. `hangUp` resolving makes it hang up; the promise
 * never rejects: to fail is a fate as well.
 */
export function send(
  base: string,
  scenario: Scenario,
  id: number,
  hangUp?: Promise<unknown>,
): Promise<Experience> {
  const { method, headers = {}, hangUpAfter } = scenario;
  return new Promise((resolve) => {
    let left = false;
    const outgoing = request(new URL(scenario.path(id), base), { method, headers, agent: clients });
    const settle = (fate: Fate, status?: number, body = '') => {
      clearTimeout(timer);
      resolve({ fate, status, body });
    };
    const leave = () => {
      left = true;
      outgoing.destroy();
    };
    const timer = hangUpAfter === undefined ? undefined : setTimeout(leave, hangUpAfter);
    void hangUp?.then(leave);
    outgoing.on('response', (response) => {
      const status = response.statusCode ?? 0;
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (body += chunk));
      response.on('end', () =>
        settle(status === 504 ? 'timedOut' : status < 400 ? 'answered' : 'failed', status, body),
      );
      response.on('error', () => settle(left ? 'hungUp' : 'failed', status, body));
    });
    outgoing.on('error', () => settle(left ? 'hungUp' : 'failed'));
    outgoing.end();
  });
}
