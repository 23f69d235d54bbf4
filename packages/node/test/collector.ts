import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';

export interface Export {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** The body of `http/json`. */
  json(): any;
}

/** An OTLP/HTTP receiver that keeps what it is sent. */
export interface Collector {
  readonly url: string;
  readonly exports: Export[];
  /** Resolves with the first export that fits. */
  received(fits: (request: Export) => boolean): Promise<Export>;
  close(): Promise<void>;
}

/** `answer` may leave a request unanswered, or refuse it. */
export async function startCollector(
  answer: (response: ServerResponse, count: number) => void = (response) => response.end(),
): Promise<Collector> {
  const exports: Export[] = [];
  const waiting = new Set<() => void>();
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const sent = Buffer.concat(chunks);
      const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(sent) : sent;
      const { url: path = '', headers } = request;
      exports.push({ path, headers, body, json: () => JSON.parse(body.toString()) });
      answer(response, exports.length);
      for (const look of waiting) look();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    exports,
    received: (fits) =>
      new Promise((resolve) => {
        const look = () => {
          const found = exports.find(fits);
          if (found === undefined) return;
          waiting.delete(look);
          resolve(found);
        };
        waiting.add(look);
        look();
      }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** All spans of all exports of traces in JSON. */
export function spansOf(exports: readonly Export[]): any[] {
  return exports
    .filter(({ path }) => path.endsWith('/v1/traces'))
    .flatMap((request) => request.json().resourceSpans)
    .flatMap((resource: any) => resource.scopeSpans)
    .flatMap((scope: any) => scope.spans);
}

/** Attributes as an object. */
export function attributesOf(holder: any): Record<string, unknown> {
  return Object.fromEntries(holder.attributes.map(({ key, value }: any) => [key, Object.values(value)[0]]));
}
