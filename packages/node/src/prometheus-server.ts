import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { diag } from '@opentelemetry/api';
import { warn } from './logging';

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
  /** The text of a scrape. */
  readonly scrape: () => Promise<string>;
}

/**
 * Serves `/metrics` on a server that never keeps the process alive. The exporter's own server takes port 0 for
 * unset and does not unref the connections of a scraper, which would hold a process that has finished.
 */
export function servePrometheus({ host, port, scrape }: PrometheusServerOptions): PrometheusServer {
  const sockets = new WeakSet<Socket>();
  const server = createServer((request, response) => void answer(request, response, scrape));
  server.unref();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.unref();
  });
  const url = new Promise<string | undefined>((resolve) => {
    server.on('error', (error: NodeJS.ErrnoException) => {
      warn(
        `no metrics endpoint: ${place(host, port)} ${why(error)}; ${REMEDY}, the service goes on without it`,
      );
      resolve(undefined);
    });
    // Exclusive: the workers of a cluster would otherwise share the port and each scrape see another one.
    server.listen({ host, port, exclusive: true }, () => {
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

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  scrape: () => Promise<string>,
): Promise<void> {
  const { pathname } = new URL(request.url ?? '/', 'http://metrics');
  if (pathname !== '/metrics') return finish(response, 404, 'The metrics are at /metrics.\n');
  if (request.method !== 'GET' && request.method !== 'HEAD') return finish(response, 405, 'GET it.\n');
  try {
    const text = await scrape();
    finish(response, 200, text);
  } catch (error) {
    diag.error('curfew: the metrics cannot be collected:', error);
    finish(response, 500, 'The metrics cannot be collected.\n');
  }
}

function finish(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(text);
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
