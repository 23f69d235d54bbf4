import { connect as connectPlain, isIP, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import type { DriverClient } from '../driver';

const CANCEL_REQUEST_CODE = 80877102;
const SSL_REQUEST_CODE = 80877103;

/** Connections that may be open at once to deliver cancels, over all servers. The others wait their turn. */
const MAX_OPEN = 32;

/** How a request ended: `delivered`, `failed` (it never reached the wire), or `doubtful` (sent, never answered). */
export type Delivery = 'delivered' | 'failed' | 'doubtful';

/** The packet that asks a server to cancel what one of its sessions is doing now. */
export function cancelPacket(processID: number, secret: number | Uint8Array): Buffer {
  const key = typeof secret === 'number' ? int32(secret) : secret;
  return Buffer.concat([int32(12 + key.length), int32(CANCEL_REQUEST_CODE), int32(processID), key]);
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value | 0);
  return bytes;
}

let open = 0;
const waiting = new Set<() => void>();

function enter(start: () => void): void {
  if (open < MAX_OPEN) {
    open++;
    start();
  } else waiting.add(start);
}

function leave(): void {
  open--;
  for (const next of waiting) {
    waiting.delete(next);
    open++;
    next();
    return;
  }
}

/** A request under way. */
export interface CancelRequest {
  /** Whether it may have reached the server. */
  readonly written: boolean;
  /** Takes it back, unless it is written: then `done` tells when it has been delivered. */
  withdraw(): void;
}

/**
 * Asks the server of a client to cancel what the client's session is doing, over a connection of its own to the
 * same address, with TLS where the client has it. The server answers by closing that connection, once it has
 * signalled the session: until then nobody else may use the session, or it is their query that dies.
 *
 * @param timeout Milliseconds for all of it.
 * @param done Called once, never within this call.
 */
export function requestCancel(
  client: DriverClient,
  timeout: number,
  done: (delivery: Delivery) => void,
): CancelRequest {
  const { processID, secretKey } = client;
  let socket: Socket | undefined;
  let written = false;
  let entered = false;
  let over = false;
  const finish = (delivery: Delivery) => {
    if (over) return;
    over = true;
    clearTimeout(timer);
    waiting.delete(dial);
    socket?.destroy();
    if (entered) leave();
    process.nextTick(done, delivery);
  };
  // The server never says more than goodbye. Where it does so by a reset, the request has reached it all the same.
  const closed = () => finish(written ? 'delivered' : 'failed');
  const timer = setTimeout(() => finish(written ? 'doubtful' : 'failed'), timeout);
  const dial = () => {
    entered = true;
    socket = dialServer(client, (stream) => {
      if (over || processID === null || secretKey === null) return;
      written = true;
      stream.write(cancelPacket(processID, secretKey));
      stream.resume();
    });
    socket.once('error', closed).once('close', closed);
  };
  if (processID === null || secretKey === null) finish('failed');
  else enter(dial);
  return {
    get written() {
      return written;
    },
    withdraw: () => {
      if (!written) finish('failed');
    },
  };
}

/** Dials the server; calls `ready` with the stream that takes the packet. */
function dialServer(client: DriverClient, ready: (stream: Socket) => void): Socket {
  const { host, port, ssl } = client;
  // A name may stand for several servers: the session is on the one that the client is connected to.
  const { remoteAddress, remotePort } = client.connection?.stream ?? {};
  const socket = host.startsWith('/')
    ? connectPlain({ path: `${host}/.s.PGSQL.${port}` })
    : connectPlain({ host: remoteAddress ?? host, port: remotePort ?? port, noDelay: true });
  socket.once('connect', () => {
    if (!ssl) ready(socket);
    else if (client.sslNegotiation === 'direct') encrypt(client, socket, ready);
    else {
      socket.write(Buffer.concat([int32(8), int32(SSL_REQUEST_CODE)]));
      socket.once('data', (answer) => {
        // The key never goes over the wire in the clear when the session does not.
        if (answer.toString('latin1') === 'S') encrypt(client, socket, ready);
        else socket.destroy();
      });
    }
  });
  return socket;
}

/** The same handshake as pg's own. */
function encrypt(client: DriverClient, socket: Socket, ready: (stream: Socket) => void): void {
  const { host, ssl } = client;
  const options: ConnectionOptions = { socket, host, ...(ssl === true ? {} : (ssl as ConnectionOptions)) };
  // pg hides the key from enumeration.
  const key = ssl === true ? undefined : (ssl as ConnectionOptions).key;
  if (key !== undefined) options.key = key;
  if (client.sslNegotiation === 'direct') options.ALPNProtocols = ['postgresql'];
  if (isIP(host) === 0) options.servername ??= host;
  const secure = connectTls(options, () => ready(secure));
  secure.on('error', () => socket.destroy()).on('close', () => socket.destroy());
}
