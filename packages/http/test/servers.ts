import { once, type EventEmitter } from 'node:events';
import http, { type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import net, { type AddressInfo, type Socket } from 'node:net';
import { context, propagation, ROOT_CONTEXT } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { subscribe, type ContextNode, type Ending, type HookEvents } from '@curfew/context/spi';

export type Listener = (request: IncomingMessage, response: ServerResponse) => unknown;

/** Lets `active()` work, as an OpenTelemetry SDK does. */
export function useContextManager(): () => void {
  const manager = new AsyncLocalStorageContextManager().enable();
  context.setGlobalContextManager(manager);
  return () => context.disable();
}

/** What OpenTelemetry's HTTP instrumentation does around a listener, in one line of its own words. */
export function extracted(listener: Listener): Listener {
  return (request, response) =>
    context.with(propagation.extract(ROOT_CONTEXT, request.headers), () => listener(request, response));
}

const opened: { close(): unknown; closeAllConnections?(): void }[] = [];
const sockets: Socket[] = [];

/** Starts a server on a free port of loopback; returns its URL. */
export async function listen(server: Listener | Server): Promise<string> {
  const started = typeof server === 'function' ? http.createServer(server) : server;
  opened.push(started);
  started.listen(0, '127.0.0.1');
  await once(started, 'listening');
  return `http://127.0.0.1:${(started.address() as AddressInfo).port}`;
}

/** Closes all that tests opened. */
export async function closeAll(): Promise<void> {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of opened.splice(0)) {
    server.close();
    server.closeAllConnections?.();
  }
}

/** A raw client: what it sends is what is written, and it can hang up at any moment. */
export async function dial(url: string): Promise<Socket> {
  const socket = net.connect(Number(new URL(url).port), '127.0.0.1');
  sockets.push(socket);
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

export function get(path: string, headers: Record<string, string> = {}): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `GET ${path} HTTP/1.1\r\nHost: test\r\n${lines.join('')}\r\n`;
}

/** Events of the hooks, waited for instead of slept for. */
export class Ends {
  readonly all: { node: ContextNode; ending: Ending }[] = [];
  private waiting: (() => void)[] = [];
  readonly stop: () => void;

  constructor(more: Partial<HookEvents> = {}) {
    this.stop = subscribe({
      ...more,
      contextEnded: ({ node, ending }) => {
        this.all.push({ node, ending });
        for (const wake of this.waiting.splice(0)) wake();
      },
    });
  }

  async count(n: number): Promise<string[]> {
    while (this.all.length < n) await new Promise<void>((resolve) => this.waiting.push(resolve));
    return this.list();
  }

  list(): string[] {
    return this.all.map(({ node, ending }) => `${node.name} ${ending.outcome} ${ending.origin}`);
  }
}

export function event(emitter: EventEmitter, name: string): Promise<unknown[]> {
  return once(emitter, name);
}

/** Lets everything that is queued in this turn of the loop happen. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
