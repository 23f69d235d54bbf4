import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { Client, Pool, type PoolConfig } from 'pg';
import { adapterEvent, subscribe } from '@curfew/context/spi';
import type { BackendCancel } from '@curfew/pg';

/** Waits for a condition, checked again and again; the limit only bounds a failure. */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const limit = Date.now() + 20_000;
  while (!(await condition())) {
    if (Date.now() > limit) throw new Error(`never true: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** A session of its own that sees what the server does. */
export async function monitor(connectionString: string) {
  const client = new Client({ connectionString, application_name: 'monitor' });
  await client.connect();
  const count = async (where: string): Promise<number> => {
    const { rows } = await client.query<{ n: number }>(
      `SELECT count(*)::int AS n FROM pg_stat_activity
       WHERE backend_type = 'client backend' AND application_name <> 'monitor' AND ${where}`,
    );
    return rows[0]?.n ?? -1;
  };
  return {
    client,
    count,
    running: (text: string) =>
      until(`running ${text}`, async () => (await count(`state = 'active' AND query LIKE '%${text}%'`)) > 0),
    /** Holds a lock: queries that take it wait for as long as the test needs them to. Returns how to let them go on. */
    async lock(key: number): Promise<() => Promise<unknown>> {
      await client.query('SELECT pg_advisory_lock($1)', [key]);
      return () => client.query('SELECT pg_advisory_unlock($1)', [key]);
    },
    /** Cancels such queries from here, as an administrator would. */
    cancel: (text: string) =>
      client.query(
        `SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE '%${text}%' AND pid <> pg_backend_pid()`,
      ),
    idle: () => until('no backend active', async () => (await count(`state = 'active'`)) === 0),
    end: () => client.end(),
  };
}

export type Monitor = Awaited<ReturnType<typeof monitor>>;

/** What the hooks tell of backend cancels and refused calls. */
export function recordHooks() {
  const cancels: BackendCancel[] = [];
  let refused = 0;
  const stops = [
    adapterEvent<BackendCancel>('backend.cancel').listen((event) => cancels.push(event)),
    subscribe({ callRefused: () => refused++ }),
  ];
  const stop = () => stops.forEach((each) => each());
  return { cancels, outcomes: () => cancels.map(({ outcome }) => outcome), refused: () => refused, stop };
}

/** Pools and clients that are ended after a test, whatever became of them. */
export function opened(defaults: PoolConfig) {
  const pools: Pool[] = [];
  return {
    pool(options: PoolConfig = {}): Pool {
      const pool = new Pool({ ...defaults, ...options });
      pool.on('error', () => undefined);
      pools.push(pool);
      return pool;
    },
    async end(): Promise<void> {
      const live = pools.splice(0).filter((pool) => !pool.ended);
      await Promise.all(live.map((pool) => pool.end()));
    },
  };
}

const CANCEL_REQUEST_CODE = 80877102;

/** A cancel that the proxy holds in its hands. */
export interface HeldCancel {
  readonly packet: Buffer;
  /** Hands it to the server, whose close closes it. */
  forward(): void;
  /** Closes it, undelivered. */
  drop(): void;
}

/**
 * Stands between a client and the server and keeps a tally of its own: sessions open at once, cancels seen. What
 * becomes of a cancel is up to the test.
 */
export async function proxy(port: number, onCancel: (cancel: HeldCancel, nth: number) => void) {
  let sessions = 0;
  const tally = { cancels: 0, mostSessions: 0 };
  const sockets = new Set<Socket>();
  const server: Server = createServer((near) => {
    sockets.add(near);
    near.on('error', () => undefined).on('close', () => sockets.delete(near));
    near.once('data', (first: Buffer) => {
      const forward = () => {
        const far = connect(port, '127.0.0.1');
        far.on('error', () => near.destroy());
        far.write(first);
        far.pipe(near);
        near.pipe(far);
        return far;
      };
      if (first.readInt32BE(4) === CANCEL_REQUEST_CODE) {
        tally.cancels++;
        onCancel({ packet: first, forward, drop: () => near.destroy() }, tally.cancels);
        return;
      }
      sessions++;
      tally.mostSessions = Math.max(tally.mostSessions, sessions);
      // A session counts until the server itself has let it go.
      forward().once('close', () => sessions--);
    });
  });
  // A test that fails may leave it open, and is to end all the same.
  await new Promise<void>((resolve) => server.unref().listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    tally,
    /** Takes no new connections; the sessions live on. */
    refuse: () => void server.close(),
    async close(): Promise<void> {
      for (const socket of sockets) socket.destroy();
      if (server.listening) await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The reason of a rejection; fails where the promise is fulfilled. */
export function rejection(promise: Promise<unknown>): Promise<Error & { code?: string; cause?: unknown }> {
  return promise.then(
    () => {
      throw new Error('was not rejected');
    },
    (error: Error) => error,
  );
}

/** A pool whose clients note the context in which each query is handed to them, before anything covers it. */
export function noting<T>(note: () => T) {
  const seen: T[] = [];
  class NotingClient extends Client {
    override query(...args: unknown[]): never {
      seen.push(note());
      return (super.query as (...given: unknown[]) => never).apply(this, args);
    }
  }
  return { seen, Client: NotingClient as unknown as new () => Client };
}
