import { randomBytes } from 'node:crypto';
import { INSTRUMENTS, prometheusName, type InstrumentId } from '@curfew/telemetry';

import { clients, send, type Experience } from '../../packages/demo/src/clients/client';
import { sumOf, type Sample } from '../../packages/demo/src/board/exposition';
import {
  scrape,
  SERVICES,
  startSystem,
  type ServiceName,
  type System,
} from '../../packages/demo/dist/system';
import { lookInto, type Database } from './database';
import { startReceiver, type ReceivedSpan, type Receiver } from './otlp-receiver';

/** The demo's three services on a real PostgreSQL, with a receiver for their spans. */
export interface Services {
  readonly system: System;
  readonly database: Database;
  readonly receiver: Receiver;
  stop(): Promise<void>;
}

/** What the gateway's audit earns itself: it starts from a fresh background within a request. */
const BUG_ON_SHOW =
  'Broken chain: a context from background() started from a root inside the live context "http.server"';

export async function startServices(env: Readonly<Record<string, string>> = {}): Promise<Services> {
  const receiver = await startReceiver();
  const told: string[] = [];
  const system = await startSystem({
    anyPort: true,
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_METRICS_EXPORTER: 'prometheus',
      OTEL_BSP_SCHEDULE_DELAY: '50',
      ...env,
    },
    tell: (line) => told.push(line),
    lost: (name, exit) => told.push(`${name} ended (${exit})`),
  });
  const database = await lookInto(system.connectionString);
  return {
    system,
    database,
    receiver,
    async stop() {
      await database.end();
      clients.destroy();
      await system.stop();
      await receiver.close();
      // A service that had something to say had a reason. One of the bugs on show is warned of.
      expect(told.filter((line) => !line.includes(BUG_ON_SHOW))).toEqual([]);
    },
  };
}

/** What one request is to be. */
export interface Ask {
  readonly id: number;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** The client hangs up once the database works on its request. */
  readonly hangUp?: boolean;
}

export interface Asked extends Experience {
  /** Whether PostgreSQL was seen working on it: then all three services certainly were, too. */
  readonly reachedDatabase: boolean;
}

/** Sends a request to the gateway and looks, until its fate is settled, whether PostgreSQL works on it. */
export async function ask({ system, database }: Services, asked: Ask): Promise<Asked> {
  let hangUp = () => {};
  const leave = new Promise<void>((resolve) => (hangUp = resolve));
  const { id, path, headers = {} } = asked;
  const sent = send(
    system.services.gateway.url,
    { name: path, method: 'GET', path: () => path, headers },
    id,
    leave,
  );
  const seen = database.seen(`/* order ${id} */`);
  const reachedDatabase = await Promise.race([seen.then(() => true), sent.then(() => false)]);
  database.forget(`/* order ${id} */`);
  if (asked.hangUp === true) hangUp();
  return { ...(await sent), reachedDatabase };
}

export type Scrapes = Readonly<Record<ServiceName, readonly Sample[]>>;

/** Scrapes all services once they are quiet: no context lives, so nothing is left to be counted. */
export async function quietScrapes({ system }: Services): Promise<Scrapes> {
  for (;;) {
    const scraped = await Promise.all(SERVICES.map((name) => scrape(system.services[name].metricsUrl)));
    if (scraped.every((samples) => sumOf(samples, nameOf('active')) === 0)) {
      return Object.fromEntries(SERVICES.map((name, index) => [name, scraped[index]])) as unknown as Scrapes;
    }
  }
}

export function nameOf(id: InstrumentId): string {
  return prometheusName(INSTRUMENTS[id]);
}

/** By how much a family has grown in one service between two scrapes. */
export function growth(
  [before, after]: readonly [Scrapes, Scrapes],
  service: ServiceName,
  family: string,
  labels: Readonly<Record<string, string>> = {},
): number {
  return sumOf(after[service], family, labels) - sumOf(before[service], family, labels);
}

/** A W3C trace context of the client's own, so that its trace can be found. */
export function newTrace(): { readonly traceId: string; readonly headers: Readonly<Record<string, string>> } {
  const traceId = randomBytes(16).toString('hex');
  return { traceId, headers: { traceparent: `00-${traceId}-${randomBytes(8).toString('hex')}-01` } };
}

/** The spans of a trace, once there are as many of them as the condition wants. */
export async function spansOf(
  { receiver }: Services,
  traceId: string,
  complete: (spans: readonly ReceivedSpan[]) => boolean,
): Promise<readonly ReceivedSpan[]> {
  return until(() => {
    const spans = receiver.spans.filter((span) => span.traceId === traceId);
    return complete(spans) ? spans : undefined;
  });
}

/** Polls until there is something; the test's own timeout is the limit. */
export async function until<T>(look: () => T | undefined | Promise<T | undefined>): Promise<T> {
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
