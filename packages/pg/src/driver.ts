import type { EventEmitter } from 'node:events';
import type { Duplex } from 'node:stream';

/**
 * What this package relies on in `pg` beyond its documented surface, in one place. The names have held since
 * pg 8.11, but for the underscore of `activeQuery` and `queryQueue`.
 */
export interface Submittable {
  submit(connection: unknown): Error | null | undefined | void;
  handleError(error: Error, connection: unknown): void;
  handleReadyForQuery?(connection: unknown): void;
  handleRowDescription?(...args: unknown[]): void;
  handleDataRow?(...args: unknown[]): void;
  handlePortalSuspended?(...args: unknown[]): void;
  handleCommandComplete?(...args: unknown[]): void;
  callback?: Callback | undefined;
  text?: unknown;
  /** Set by pg-query-stream, which is a Readable over a cursor. */
  readonly cursor?: { readonly _queue?: unknown[] };
  destroy?(error?: Error): unknown;
  /** Where it is an EventEmitter, as all that are known are. */
  listenerCount?(event: string): number;
}

/** What pg calls on a query as the answer comes in. All of it may call the listeners of a query that the user has made. */
export const EVENTS = [
  'handleRowDescription',
  'handleDataRow',
  'handlePortalSuspended',
  'handleCommandComplete',
] as const;

export type Callback = (error: unknown, ...results: unknown[]) => void;

export interface Query extends Submittable {
  query_timeout?: number;
}

export interface DriverClient extends EventEmitter {
  query(config: unknown, values?: unknown, callback?: unknown): unknown;
  end(): unknown;
  release?: (error?: unknown) => void;
  readonly host: string;
  readonly port: number;
  /** `true`, or the options of `tls.connect`. */
  readonly ssl: unknown;
  readonly sslNegotiation?: string;
  readonly processID: number | null;
  /** Four bytes as a number up to protocol 3.0; longer ones come as bytes. */
  readonly secretKey: number | Uint8Array | null;
  readonly connection?: {
    readonly stream?: Duplex & { readonly remoteAddress?: string; readonly remotePort?: number };
  };
  readonly pipeline?: boolean;
  readonly _Promise?: PromiseConstructor;
  readonly _activeQuery?: unknown;
  readonly activeQuery?: unknown;
  readonly _queryQueue?: unknown[];
  readonly queryQueue?: unknown[];
  _pulseQueryQueue?(): void;
  /** `I` for idle, `T` in a transaction, `E` in one that has failed: the server's last word. Kept since pg 8.17. */
  readonly _txStatus?: string | null;
}

export interface DriverPool extends EventEmitter {
  connect(callback?: (error: unknown, client?: DriverClient, release?: unknown) => void): unknown;
  query(text: unknown, values?: unknown, callback?: unknown): unknown;
  readonly totalCount: number;
  readonly Promise?: PromiseConstructor;
  readonly _pendingQueue?: { timedOut?: boolean }[];
}

/** The query that the server works on, if there is one. */
export function activeOf(client: DriverClient): unknown {
  // Asking 8.23 for the name without the underscore prints a deprecation.
  return '_activeQuery' in client ? client._activeQuery : client.activeQuery;
}

function queueOf(client: DriverClient): unknown[] | undefined {
  return '_queryQueue' in client ? client._queryQueue : client.queryQueue;
}

/** Whether the client holds this query as the one that the server works on. */
export function isActive(client: DriverClient, query: Submittable): boolean {
  return activeOf(client) === query;
}

/** Whether nothing that was asked of the client is still to be answered. */
export function isAtRest(client: DriverClient): boolean {
  return !activeOf(client) && !queueOf(client)?.length;
}

/** Takes a query that was not sent yet out of the client's queue; `false` if it is not there. */
export function unqueue(client: DriverClient, query: Submittable): boolean {
  const queue = queueOf(client);
  const index = queue?.indexOf(query) ?? -1;
  if (index === -1) return false;
  queue?.splice(index, 1);
  return true;
}

/**
 * Keeps the client from sending its next query, whoever asks: the instance gets a method of its own that does
 * nothing over the one with which pg takes the next from its queue. Returns how to let it go on.
 */
export function hold(client: DriverClient): () => void {
  const former = Object.getOwnPropertyDescriptor(client, '_pulseQueryQueue');
  client._pulseQueryQueue = () => undefined;
  return () => {
    if (former === undefined) delete client._pulseQueryQueue;
    else Object.defineProperty(client, '_pulseQueryQueue', former);
    client._pulseQueryQueue?.();
  };
}

/** Whether a value is a pool of pg-pool, told by its shape. */
export function isPool(target: unknown): target is DriverPool {
  return typeof target === 'object' && target !== null && 'totalCount' in target && 'connect' in target;
}

/** Makes the Query that `client.query` would make, so that its life can be followed. */
export function createQuery(
  client: DriverClient,
  config: unknown,
  values: unknown,
  callback: unknown,
): Query | undefined {
  const { Query } = client.constructor as { Query?: new (...args: unknown[]) => Query };
  if (typeof Query !== 'function') return undefined;
  const query = new Query(config, values, callback);
  const timeout = (config as { query_timeout?: number }).query_timeout;
  // The client reads this from what it is given, which is now the query.
  if (timeout !== undefined) query.query_timeout = timeout;
  return query;
}

/** Whether a value follows the protocol of cursors, streams and pg's own Query. */
export function isSubmittable(value: unknown): value is Submittable {
  return typeof (value as Submittable | null | undefined)?.submit === 'function';
}

/** Whether it is pg's own Query, of whatever copy of pg: of all submittables, it alone ends by itself. */
export function isPlainQuery(client: DriverClient, query: Submittable): boolean {
  const { Query } = client.constructor as { Query?: new (...args: unknown[]) => Query };
  return typeof Query === 'function' && query instanceof Query;
}

/**
 * Destroys a stream, which closes its cursor. A read that waits for the server to describe the cursor is dropped: it
 * would be sent after the close, and the server's complaint about it would reach the next query on the connection. For
 * the same reason the cursor is told nothing more, but that the server is ready: one that was closed before the server
 * had answered forgets it at the next answer, and says Sync or Execute once more.
 */
export function destroyStream(query: Submittable, error: Error): void {
  query.cursor?._queue?.splice(0);
  for (const name of EVENTS) query[name] = () => undefined;
  query.destroy?.(error);
}

/**
 * Whether an error that the query is given reaches anybody: an `error` event without a listener ends the process. A
 * stream that is piped as the README of pg-query-stream shows has none, and the client of such a stream comes back only
 * at its `end`.
 */
export function takesErrors(client: DriverClient, query: Submittable): boolean {
  if (query.listenerCount === undefined || query.listenerCount('error') > 0) return true;
  if (isPlainQuery(client, query)) return query.callback !== undefined;
  // A cursor, which is no stream, tells those who wait for its rows, and needs no listener.
  return query.destroy === undefined && 'read' in query;
}
