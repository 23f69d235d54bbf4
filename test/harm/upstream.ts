import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a handler calls, in the driver's hands. Each call has a key of its own. */
export interface Upstream {
  /** For the environment of a program. */
  readonly address: string;
  /** Before a call: takes a key, under which what is asked is held. */
  take(): Promise<string>;
  /** Resolves once the call has arrived. */
  seen(key: string): Promise<void>;
  /** Answers what is held under the key, ends what streams, and holds nothing under it from then on. */
  release(key: string): Promise<void>;
  close(): Promise<void>;
}

interface Held {
  readonly seen: Promise<void>;
  readonly arrived: () => void;
  readonly answers: Set<() => void>;
  released: boolean;
}

const CHUNK_EVERY_MS = 10;

/** `/hold/k1` answers when released; `/stream/k1` sends chunks until released; `/quick/k1` answers at once. */
export async function startUpstream(): Promise<Upstream> {
  const calls = new Map<string, Held>();
  const server = createServer((req, res) => {
    const [, kind, key = ''] = /\/(\w+)\/(\w+)$/.exec(req.url ?? '') ?? [];
    const held = calls.get(key);
    req.resume();
    if (held === undefined) return void res.writeHead(404).end();
    if (kind === 'quick') res.end('quick');
    else if (kind === 'stream') stream(held, res);
    else until(held, () => res.end('held'));
    held.arrived();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  let taken = 0;
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async take() {
      const key = `k${++taken}`;
      calls.set(key, makeHeld());
      return key;
    },
    seen: (key) => heldOf(calls, key).seen,
    async release(key) {
      const held = heldOf(calls, key);
      held.released = true;
      for (const answer of held.answers) answer();
      held.answers.clear();
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function heldOf(calls: ReadonlyMap<string, Held>, key: string): Held {
  const held = calls.get(key);
  if (held === undefined) throw new Error(`no call ${key}`);
  return held;
}

function makeHeld(): Held {
  let arrived = () => {};
  const seen = new Promise<void>((resolve) => (arrived = resolve));
  return { seen, arrived: () => arrived(), answers: new Set(), released: false };
}

function stream(held: Held, res: ServerResponse): void {
  res.write('x'.repeat(100));
  const timer = setInterval(() => res.write('x'.repeat(100)), CHUNK_EVERY_MS);
  res.once('close', () => clearInterval(timer));
  until(held, () => {
    clearInterval(timer);
    res.end('y');
  });
}

function until(held: Held, answer: () => void): void {
  if (held.released) answer();
  else held.answers.add(answer);
}
