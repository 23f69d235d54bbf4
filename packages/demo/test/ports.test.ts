import { createServer, type AddressInfo, type Server } from 'node:net';
import { choosePorts } from '../src/ports';

async function taken(): Promise<[port: number, server: Server]> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return [(server.address() as AddressInfo).port, server];
}

describe('choosing ports', () => {
  let port: number;
  let server: Server;
  beforeEach(async () => {
    [port, server] = await taken();
  });
  afterEach(() => server.close());

  test('a port that was asked for and is taken is a fault that names it, its use and the flag', async () => {
    const wish = { what: 'gateway', given: { port, flag: '--gateway-port' }, preferred: 8080 };
    await expect(choosePorts([wish], () => {})).rejects.toThrow(
      `port ${port} for gateway is taken: stop what listens there, or give another --gateway-port`,
    );
  });

  test('a default that is taken gives way to a free one, and that is said', async () => {
    const told: string[] = [];
    const [chosen] = await choosePorts([{ what: 'gateway', preferred: port }], (line) => told.push(line));
    expect(chosen).not.toBe(port);
    expect(told).toEqual([`port ${port} is taken, so gateway listens on ${chosen}`]);
  });

  test('no two wishes get the same port, not even where both ask for any', async () => {
    const any = Array.from({ length: 20 }, (_, index) => ({ what: String(index), preferred: 0 }));
    const chosen = await choosePorts(any, () => {});
    expect(new Set(chosen).size).toBe(20);
    expect(chosen).not.toContain(0);
  });

  test('a port is free for whoever asked for it once it was chosen', async () => {
    const [chosen] = await choosePorts([{ what: 'gateway', preferred: 0 }], () => {});
    const next = createServer();
    await new Promise<void>((resolve) => next.listen(chosen, '127.0.0.1', resolve));
    expect((next.address() as AddressInfo).port).toBe(chosen);
    await new Promise((resolve) => next.close(resolve));
  });
});
