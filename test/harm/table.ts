import type { Protocol } from './client';
import type { Phase } from './phases';

export type Style = 'bare' | 'catch';

/** Whether the handler catches what its work throws. */
export const STYLES: readonly Style[] = ['catch', 'bare'];

/** A program and what is asked of it. */
export interface Row {
  readonly name: string;
  /** A file of `programs/`. */
  readonly program: string;
  /** `http` unless given. */
  readonly protocol?: Protocol;
  /** `false` where nothing gives its requests a context, so that no deadline is carried out. */
  readonly context?: false;
  /** `false` for what answers last of all: a proxy. */
  readonly worksAfter?: false;
  /** Its upstream is a database. */
  readonly postgres?: true;
  /** All unless given. */
  readonly kinds?: readonly Phase['kind'][];
  readonly styles?: readonly Style[];
  readonly env?: Readonly<Record<string, string>>;
}

/** What proxies do is their own: nothing comes after the answer, and there is nothing to catch in. */
const PROXY = { styles: ['bare'], worksAfter: false } as const;

const LATE = { program: 'late-header.cjs', kinds: ['hold'] } as const;

export const ROWS: readonly Row[] = [
  { name: 'node:http', program: 'fetch.cjs' },
  { name: 'node:https', program: 'https.cjs', protocol: 'https' },
  { name: 'node:http2', program: 'http2.cjs', protocol: 'http2', context: false },
  { name: 'node:http2, wrapListener', program: 'http2-wrapped.cjs', protocol: 'http2' },
  { name: 'Express 4', program: 'express-4.cjs' },
  { name: 'Express 5', program: 'express-5.cjs' },
  { name: 'Fastify 5', program: 'fastify.cjs' },
  { name: 'Koa', program: 'koa.cjs' },
  { name: 'Hono', program: 'hono.mjs' },
  { name: 'Nest', program: 'nest.cjs' },
  { name: 'http-proxy', program: 'http-proxy.cjs', ...PROXY },
  { name: 'http-proxy-middleware', program: 'http-proxy-middleware.cjs', ...PROXY },
  { name: '@fastify/http-proxy', program: 'fastify-http-proxy.cjs', ...PROXY },
  { name: 'pipe', program: 'pipe.cjs' },
  { name: 'pipeline', program: 'pipeline.cjs' },
  { name: 'fromWeb', program: 'from-web.cjs' },
  { name: 'pipeTo', program: 'pipe-to.cjs' },
  { name: 'for await', program: 'for-await.cjs' },
  { name: 'tee', program: 'tee.cjs' },
  { name: 'Promise.all', program: 'promise-all.cjs' },
  { name: 'awaited in turn', program: 'in-turn.cjs' },
  { name: 'floating promise', program: 'floating.cjs' },
  { name: 'axios', program: 'axios.cjs' },
  { name: 'got', program: 'got.mjs' },
  { name: 'got.stream', program: 'got-stream.mjs' },
  { name: 'node-fetch 2', program: 'node-fetch-2.cjs' },
  { name: 'node-fetch 3', program: 'node-fetch-3.mjs' },
  { name: 'undici', program: 'undici.cjs' },
  { name: 'pg', program: 'pg.cjs', postgres: true },
  { name: 'pg-query-stream', program: 'pg-query-stream.cjs', postgres: true, kinds: ['hold', 'stream'] },
  { name: 'retry loop, fetch', program: 'retry-loop.cjs' },
  { name: 'retry loop, http', program: 'retry-loop-http.cjs' },
  ...['setHeader', 'appendHeader', 'removeHeader', 'writeHead', 'write', 'bound', 'prototype'].map(
    (METHOD): Row => ({ name: `late ${METHOD}`, ...LATE, env: { METHOD } }),
  ),
  { name: 'http.request for https', program: 'other-protocol.cjs' },
  { name: 'a bug of its own', program: 'own-bug.cjs' },
  { name: 'cancels of its own', program: 'own-cancels.cjs', kinds: ['hold'] },
  {
    name: 'node:http, --unhandled-rejections=strict',
    program: 'fetch.cjs',
    env: { NODE_OPTIONS: '--unhandled-rejections=strict' },
  },
  { name: 'late err()', program: 'late-err.cjs', kinds: ['hold'] },
];
