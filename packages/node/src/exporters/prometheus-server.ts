import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { diag } from '@opentelemetry/api';
import type { IMetricReader } from '@opentelemetry/sdk-metrics';
import { warn } from '../logging';
import { prometheusText } from './prometheus-text';

/** The endpoint that Prometheus scrapes. */
export interface PrometheusServer {
  /** Resolves with the address of `/metrics` once it listens, or with `undefined` where it cannot. */
  readonly url: Promise<string | undefined>;
  /** `true` for requests to this endpoint: they make no context and no span. */
  owns(request: IncomingMessage): boolean;
  close(): Promise<void>;
}

export interface PrometheusServerOptions {
  readonly host: string;
  readonly port: number;
  /** Collected at each scrape. */
  readonly reader: IMetricReader;
}

/** Scrapers are few. Whoever opens more connections than this must not take the service's file descriptors. */
const MAX_CONNECTIONS = 100;

/** Milliseconds for a request to arrive whole. */
const REQUEST_TIMEOUT = 10_000;

/**
 * Serves `/metrics` on a server that never keeps the process alive. The exporter's own server takes port 0 for
 * unset and does not unref the connections of a scraper, which would hold a process that has finished.
 */
export function servePrometheus({ host, port, reader }: PrometheusServerOptions): PrometheusServer {
  const sockets = new WeakSet<Socket>();
  const options = { headersTimeout: REQUEST_TIMEOUT, requestTimeout: REQUEST_TIMEOUT };
  const collect = collector(reader);
  const server = createServer(options, (request, response) => void answer(request, response, collect));
  server.maxConnections = MAX_CONNECTIONS;
  server.unref();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.unref();
  });
  const url = new Promise<string | undefined>((resolve) => {
    let listens = false;
    server.on('error', (error: NodeJS.ErrnoException) => {
      // Once it listens, what fails is a single connection.
      if (listens) return;
      warn(
        `no metrics endpoint: ${place(host, port)} ${why(error)}; ${REMEDY}, the service goes on without it`,
      );
      resolve(undefined);
    });
    // Exclusive: the workers of a cluster would otherwise share the port and each scrape see another one.
    server.listen({ host, port, exclusive: true }, () => {
      listens = true;
      const address = `http://${place(host, (server.address() as AddressInfo).port)}/metrics`;
      diag.info(`curfew: metrics on ${address}`);
      resolve(address);
    });
  });
  return {
    url,
    owns: (request) => sockets.has(request.socket),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const REMEDY =
  'set OTEL_EXPORTER_PROMETHEUS_HOST and OTEL_EXPORTER_PROMETHEUS_PORT, or OTEL_METRICS_EXPORTER=none';

/** One collection serves all who ask while it runs: a stranger who asks a thousand times at once gets no thousand. */
function collector(reader: IMetricReader): () => Promise<string> {
  let running: Promise<string> | undefined;
  return () =>
    (running ??= prometheusText(reader).finally(() => {
      running = undefined;
    }));
}

/** Whoever reaches the port may send anything. Never rejects, since nobody would handle it. */
async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  collect: () => Promise<string>,
): Promise<void> {
  try {
    if (!isMetrics(request.url)) finish(response, 404, 'The metrics are at /metrics.\n');
    else if (request.method !== 'GET' && request.method !== 'HEAD') {
      finish(response, 405, 'GET it.\n', { allow: 'GET, HEAD' });
    } else finish(response, 200, await collect());
  } catch (error) {
    diag.error('curfew: the metrics cannot be collected:', error);
    if (response.headersSent) response.destroy();
    else finish(response, 500, 'The metrics cannot be collected.\n');
  }
}

/**
 * Whether a request's target is `/metrics`, with any query; a proxy sends it in absolute form. Read by hand: `URL` throws
 * on what a stranger may send, and takes `//host/metrics` for an authority.
 */
function isMetrics(target: string | undefined): boolean {
  return target !== undefined && /^(?:https?:\/\/[^/?#]+)?\/metrics(?:\?|$)/i.test(target);
}

function finish(
  response: ServerResponse,
  status: number,
  text: string,
  more: Readonly<Record<string, string>> = {},
): void {
  const headers = { 'content-type': 'text/plain; version=0.0.4; charset=utf-8', ...more };
  response.writeHead(status, headers).end(text);
}

function place(host: string, port: number): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'is taken',
  EACCES: 'is not permitted',
  EADDRNOTAVAIL: 'is no address of this machine',
  ENOTFOUND: 'is no address of this machine',
};

function why({ code = '', message }: NodeJS.ErrnoException): string {
  return REASONS[code] ?? `cannot be listened on (${message})`;
}
