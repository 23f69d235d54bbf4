import { connect, createServer, type AddressInfo } from 'node:net';
import { background, isCanceled, withCancel } from '@curfew/context';
import { query } from '@curfew/pg';
import { Client, type ClientConfig } from 'pg';
import { database } from './database';
import { proxy, rejection, until, type HeldCancel } from './support';
import { certificate, key } from './tls-certificate';

const db = database({ tls: { cert: certificate, key } });

async function connected(options: ClientConfig): Promise<Client> {
  const { user, password, database, host, port } = db.postgres;
  const client = new Client({ user, password, database, host, port, ...options });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

test.each([
  ['four bytes of protocol 3.0', -2, '0000001004d2162e00000102fffffffe'],
  ['up to 256 of 3.2', Buffer.alloc(32, 7), `0000002c04d2162e00000102${'07'.repeat(32)}`],
])('the packet is as long as the key: %s', async (name, secretKey, expected) => {
  const packets: string[] = [];
  const between = await proxy(db.postgres.port, ({ packet, drop }) => {
    packets.push(packet.toString('hex'));
    drop();
  });
  const client = await connected({ port: between.port });
  Object.assign(client, { processID: 258, secretKey });
  const [ctx, cancel] = withCancel(background());
  const running = rejection(query(ctx, client, `SELECT pg_sleep(600) /* ${name} */`));
  await db.server.running(name);
  cancel(new Error('hung up'));
  await until('the packet is there', () => packets.length > 0);
  await db.server.cancel(name);
  expect(isCanceled(await running)).toBe(true);
  expect(packets[0]).toBe(expected);
  await client.end();
  await between.close();
});

test('the key never goes over the wire in the clear where the session is encrypted', async () => {
  const received: string[] = [];
  let sessions = 0;
  const impostor = createServer((near) => {
    near.on('error', () => undefined);
    // The session is what it should be, and whoever dials after it is told that there is no TLS.
    if (sessions++ === 0) {
      const server = connect(db.postgres.port, '127.0.0.1');
      server.on('error', () => near.destroy());
      near.pipe(server).pipe(near);
    } else near.on('data', (data) => near.write('N') && received.push(data.toString('hex')));
  });
  await new Promise<void>((resolve) => impostor.unref().listen(0, '127.0.0.1', resolve));
  const { port } = impostor.address() as AddressInfo;
  const client = await connected({ port, ssl: { ca: certificate } });
  const [ctx, cancel] = withCancel(background());
  const running = rejection(query(ctx, client, 'SELECT pg_sleep(600) /* encrypted */'));
  await db.server.running('encrypted');
  cancel(new Error('hung up'));
  await until('it was tried again', () => received.length > 1);
  await db.server.cancel('encrypted');
  expect(await running).toMatchObject({ code: '57014' });
  expect(db.hooks.outcomes()).toEqual(['failed']);
  expect(new Set(received)).toEqual(new Set(['0000000804d2162f']));
  await client.end();
  await new Promise((resolve) => impostor.close(resolve));
});

test('of forty cancels 32 are on their way at once, and one that is taken back before its turn reaches nobody', async () => {
  const held: HeldCancel[] = [];
  const reached = new Set<number>();
  let holding = true;
  const between = await proxy(db.postgres.port, (cancel) => {
    reached.add(cancel.packet.readInt32BE(8));
    if (holding) held.push(cancel);
    else cancel.forward();
  });
  const clients = await Promise.all(Array.from({ length: 40 }, () => connected({ port: between.port })));
  const last = clients.at(-1) as Client & { processID: number };
  const unlock = [await db.server.lock(1), await db.server.lock(2)] as const;
  const [ctx, cancel] = withCancel(background());
  const all = clients.map((client) =>
    query(ctx, client, `SELECT pg_advisory_lock_shared(${client === last ? 2 : 1}) /* forty */`, [], {
      cancelTimeout: 60_000,
      grace: 60_000,
    }),
  );
  const stopped = Promise.all(all.slice(0, -1).map(rejection));
  await until(
    'all wait',
    async () => (await db.server.count(`wait_event_type = 'Lock' AND query LIKE '%forty%'`)) === 40,
  );
  cancel(new Error('hung up'));
  await until('as many as may', () => held.length >= 32);
  await unlock[1]();
  await all.at(-1);
  expect(held).toHaveLength(32);
  holding = false;
  for (const each of held) each.forward();
  expect((await stopped).every(isCanceled)).toBe(true);
  expect(reached.size).toBe(39);
  expect(reached).not.toContain(last.processID);
  await unlock[0]();
  await Promise.all(clients.map((client) => client.end()));
  await between.close();
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
  const client = await connected(options());
  const [ctx, cancel] = withCancel(background());
  const running = rejection(query(ctx, client, `SELECT pg_sleep(600) /* over ${name} */`));
  await db.server.running(`over ${name}`);
  cancel(new Error('hung up'));
  expect(isCanceled(await running)).toBe(true);
  expect(db.hooks.outcomes()).toEqual(['canceled']);
  await db.server.idle();
  await client.end();
});
