import type { Server } from 'node:http';
import type { Begun } from './lifeline';

/** Where a service listens: loopback, unless HOST says otherwise (in a container it must). */
export const host = process.env.HOST ?? '127.0.0.1';

/** Listens, and knows how to stop: connections that clients keep open do not hold the process. */
export function listen(server: Server, port: number): Promise<Begun> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      const address = server.address();
      const actual = typeof address === 'object' && address !== null ? address.port : port;
      resolve({
        address: `http://${host}:${actual}`,
        end: () =>
          new Promise((closed) => {
            server.close(() => closed());
            server.closeAllConnections();
          }),
      });
    });
  });
}
