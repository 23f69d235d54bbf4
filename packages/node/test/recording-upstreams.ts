import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** A web server and a database that write down, byte for byte, what they are sent. */
export interface Upstreams {
  readonly web: number;
  readonly database: number;
  /** What has arrived since it was last asked, without what differs from run to run by design. */
  take(): string[];
  /** Resolves once something that contains this text arrives. */
  arrived(text: string): Promise<void>;
  close(): Promise<void>;
}

/** Milliseconds that whatever speaks of `slow` has to wait for its answer. */
const SLOW = 120;

export async function startUpstreams(): Promise<Upstreams> {
  let taken: string[] = [];
  let waiting: { readonly text: string; readonly resolve: () => void }[] = [];
  const sockets = new Set<Socket>();

  function note(bytes: string): void {
    taken.push(bytes.replace(/^(traceparent|baggage): .*\r\n/gim, ''));
    for (const { text, resolve } of waiting) if (bytes.includes(text)) resolve();
    waiting = waiting.filter(({ text }) => !bytes.includes(text));
  }

  function serve(
    isWhole: (bytes: string) => boolean,
    onBytes: (bytes: string, socket: Socket) => void,
  ): Promise<Server> {
    const server = createServer((socket) => {
      sockets.add(socket);
      // A service that dies of a failed test resets its connections.
      socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
      let bytes = '';
      socket.setEncoding('latin1').on('data', (more: string) => {
        bytes += more;
        if (!isWhole(bytes)) return;
        note(bytes);
        onBytes(bytes, socket);
        bytes = '';
      });
    });
    return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
  }

  const later = (bytes: string, answer: () => void) =>
    void setTimeout(answer, bytes.includes('slow') ? SLOW : 0);
  const web = await serve(isWholeRequest, (bytes, socket) => {
    later(bytes, () => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'));
  });
  // The driver writes whole messages.
  const database = await serve(
    () => true,
    (bytes, socket) => {
      // A start-up message has no type before its length.
      if (bytes.startsWith('\0')) socket.write(`${message('R', '\0\0\0\0')}${message('Z', 'I')}`, 'latin1');
      else later(bytes, () => socket.write(`${message('C', 'SELECT 0\0')}${message('Z', 'I')}`, 'latin1'));
    },
  );
  return {
    web: (web.address() as AddressInfo).port,
    database: (database.address() as AddressInfo).port,
    take() {
      const found = taken;
      taken = [];
      return found;
    },
    arrived: (text) => new Promise((resolve) => waiting.push({ text, resolve })),
    async close() {
      for (const socket of sockets) socket.destroy();
      for (const server of [web, database]) await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Whether a request has come with its body, which may arrive by itself. */
function isWholeRequest(bytes: string): boolean {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return false;
  const body = bytes.slice(end + 4);
  if (/^transfer-encoding: chunked/im.test(bytes)) return body.endsWith('0\r\n\r\n');
  return body.length >= Number(/^content-length: (\d+)/im.exec(bytes)?.[1] ?? 0);
}

/** A message of PostgreSQL's protocol. */
function message(type: string, body: string): string {
  return `${type}\0\0\0${String.fromCharCode(body.length + 4)}${body}`;
}
