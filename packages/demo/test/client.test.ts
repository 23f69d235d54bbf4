import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { clients, send } from '../src/clients/client';
import { SCENARIOS } from '../src/clients/scenarios';

describe('a client', () => {
  let server: Server;
  let handler: RequestListener;
  let base: string;
  beforeAll(async () => {
    server = createServer((request, response) => handler(request, response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(async () => {
    clients.destroy();
    await new Promise((resolve) => server.close(resolve));
  });

  test('that hangs up in the middle of an answer has hung up, and the server sees it go', async () => {
    let leave = () => {};
    const gone = new Promise((resolve) => {
      handler = (_, response) => {
        response.once('close', resolve);
        response.write('a first part');
        leave();
      };
    });
    const hangUp = new Promise<void>((resolve) => (leave = resolve));
    const { fate } = await send(base, SCENARIOS.finish, 1, hangUp);
    expect(fate).toBe('hungUp');
    await gone;
  });

  test('whose connection the server resets has failed, not hung up', async () => {
    handler = (request) => request.socket.destroy();
    expect((await send(base, SCENARIOS.hangUp, 1)).fate).toBe('failed');
  });

  test.each([
    [504, 'timedOut'],
    [502, 'failed'],
    [404, 'failed'],
    [202, 'answered'],
  ])('that reads status %d tells it as %s', async (status, fate) => {
    handler = (_, response) => response.writeHead(status).end('{}');
    expect(await send(base, SCENARIOS.finish, 1)).toEqual({ fate, status, body: '{}' });
  });

  test('with a deadline says so in the header that services pass on', async () => {
    let header: unknown;
    handler = (request, response) => {
      header = request.headers['x-request-timeout-ms'];
      response.end();
    };
    await send(base, SCENARIOS.clientDeadline, 1);
    expect(header).toBe('200');
  });
});
