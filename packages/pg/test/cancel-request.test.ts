import { createServer, type AddressInfo } from 'node:net';
import { background, isCanceled, withCancel } from '@curfew/context';
import { query } from '@curfew/pg';
import { Client, type ClientConfig } from 'pg';
import { cancelPacket, requestCancel } from '../dist/cancelling/cancel-request';
import { database } from './database';
import { rejection } from './support';
import { certificate, key } from './tls-certificate';

const db = database({ tls: { cert: certificate, key } });

test('the packet is as long as the key: four bytes of protocol 3.0, up to 256 of 3.2', () => {
  expect(cancelPacket(258, -2).toString('hex')).toBe('0000001004d2162e00000102fffffffe');
  const long = cancelPacket(1, Buffer.alloc(32, 7));
  expect(long.length).toBe(44);
  expect(long.readInt32BE(0)).toBe(44);
  expect(long.subarray(12)).toEqual(Buffer.alloc(32, 7));
});

test('the key never goes over the wire in the clear where the session is encrypted', async () => {
  const received: Buffer[] = [];
  const impostor = createServer((socket) => {
    socket
      .on('error', () => undefined)
      .on('data', (data) => {
        received.push(data);
        socket.write('N');
      });
  });
  await new Promise<void>((resolve) => impostor.listen(0, '127.0.0.1', resolve));
  const { port } = impostor.address() as AddressInfo;
  const client = { host: '127.0.0.1', port, ssl: true, processID: 1, secretKey: 0x01020304 };
  const delivery = await new Promise((resolve) => requestCancel(client as never, 5_000, resolve));
  expect(delivery).toBe('failed');
  expect(Buffer.concat(received).toString('hex')).toBe('0000000804d2162f');
  await new Promise((resolve) => impostor.close(resolve));
});

test('a request that is taken back in time reaches nobody, and forty at once all find their way', async () => {
  let packets = 0;
  const listener = createServer((socket) => {
    socket
      .on('error', () => undefined)
      .on('data', () => {
        packets++;
        socket.end();
      });
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const { port } = listener.address() as AddressInfo;
  const client = { host: '127.0.0.1', port, ssl: false, processID: 1, secretKey: 2 };
  const withdrawn = await new Promise((resolve) => requestCancel(client as never, 5_000, resolve).withdraw());
  expect(withdrawn).toBe('failed');
  const all = Array.from(
    { length: 40 },
    () => new Promise((resolve) => requestCancel(client as never, 5_000, resolve)),
  );
  expect(new Set(await Promise.all(all))).toEqual(new Set(['delivered']));
  expect(packets).toBe(40);
  await new Promise((resolve) => listener.close(resolve));
});

const ways: [string, () => ClientConfig & { sslnegotiation?: string }][] = [
  ['TCP', () => ({ host: '127.0.0.1' })],
  ['a Unix socket', () => ({ host: db.postgres.socketFolder })],
  ['TLS', () => ({ host: 'localhost', ssl: { ca: certificate } })],
  ['TLS by address', () => ({ host: '127.0.0.1', ssl: { ca: certificate } })],
  [
    'TLS without asking first',
    () => ({ host: 'localhost', ssl: { ca: certificate }, sslnegotiation: 'direct' }),
  ],
];

test.each(ways)('a query is cancelled over %s', async (name, options) => {
  const { user, password, database, port } = db.postgres;
  const client = new Client({ user, password, database, port, ...options() });
  await client.connect();
  const [ctx, cancel] = withCancel(background());
  const running = rejection(query(ctx, client, `SELECT pg_sleep(600) /* over ${name} */`));
  await db.server.running(`over ${name}`);
  cancel(new Error('hung up'));
  expect(isCanceled(await running)).toBe(true);
  expect(db.hooks.outcomes()).toEqual(['canceled']);
  await db.server.idle();
  await client.end();
});
