import { createServer } from 'node:net';
import { codeOf, Fault } from './fault';

export const HOST = '127.0.0.1';

/** The port itself (any free one for 0), or `undefined` where it is taken, or for root alone. */
function tryPort(port: number): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error) => {
      if (codeOf(error) === 'EADDRINUSE' || codeOf(error) === 'EACCES') resolve(undefined);
      else reject(error);
    });
    server.listen(port, HOST, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' ? (address?.port ?? undefined) : undefined));
    });
  });
}

/** How one port is chosen. */
export interface PortWish {
  readonly what: string;
  /** Asked for by a flag: this one or none. */
  readonly given?: { readonly port: number; readonly flag: string } | undefined;
  /** Otherwise this one, or a free one where it is taken. 0 is any. */
  readonly preferred: number;
}

/** Finds a port for each wish, no two the same; tells where one differs from what the documentation says. */
export async function choosePorts(
  wishes: readonly PortWish[],
  tell: (line: string) => void,
): Promise<number[]> {
  const chosen: number[] = [];
  for (const wish of wishes) {
    const wanted = wish.given?.port ?? wish.preferred;
    let port = chosen.includes(wanted) ? undefined : await tryPort(wanted);
    if (port === undefined && wish.given !== undefined) {
      throw new Fault(
        `port ${wanted} for ${wish.what} is taken: stop what listens there, or give another ${wish.given.flag}`,
      );
    }
    // The system may offer the port that it gave to the wish before.
    while (port === undefined || chosen.includes(port)) port = await tryPort(0);
    if (wanted !== 0 && port !== wanted) tell(`port ${wanted} is taken, so ${wish.what} listens on ${port}`);
    chosen.push(port);
  }
  return chosen;
}
