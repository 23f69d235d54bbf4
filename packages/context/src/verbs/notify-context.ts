import type { Context as OtelContext } from '@opentelemetry/api';
import { wrongType } from '../plumbing/arguments';
import { addCallback } from '../tree/callback';
import { cancelFunction, derive } from './derive';
import { nameNode } from '../tree/describe';
import { cancelNode } from '../tree/ending';
import { CanceledError } from '../plumbing/errors';
import type { Cancel, CancelContext } from '../plumbing/types';

/** What Go calls the signals in names and messages. */
const GO_NAMES: Readonly<Record<string, string>> = {
  SIGHUP: 'hangup',
  SIGINT: 'interrupt',
  SIGQUIT: 'quit',
  SIGTERM: 'terminated',
  SIGUSR1: 'user defined signal 1',
  SIGUSR2: 'user defined signal 2',
};

const goName = (signal: string) => GO_NAMES[signal] ?? signal;

/** The cause of a context that a signal ended. `isCanceled` is true for it. */
class SignalReceivedError extends CanceledError {
  constructor(readonly signal: string) {
    super();
    this.message = `${goName(signal)} signal received`;
  }
}

interface SignalEmitter {
  on(signal: string, listener: (signal: string) => void): unknown;
  off(signal: string, listener: (signal: string) => void): unknown;
}

/**
 * Go's `signal.NotifyContext`: a context that ends with the first of these signals, with origin `signal` and a
 * cause that carries `.signal`; or with the parent, or by its cancel function. While it listens, the signals
 * do not kill the process, however many come: call the cancel function to give them their default back, so that
 * a second Ctrl-C does.
 *
 * The context never counts as lingering. A name that the platform does not know is no error and never comes, so that
 * one list serves all of them.
 *
 * @param signals Names such as `SIGTERM`; at least one.
 * @throws TypeError if the parent is no Context, a signal no string, or none is given, or where there is no
 *   `process`; Node's own error for one that cannot be listened to (`SIGKILL`).
 * @example
 * ```ts
 * import { background, notifyContext, onEnd } from '@curfew/context';
 * const [ctx, stop] = notifyContext(background(), 'SIGTERM', 'SIGINT');
 * const said: string[] = [];
 * onEnd(ctx, () => said.push('closing the server'));
 * process.emit('SIGTERM', 'SIGTERM'); // as if the orchestrator had sent it
 * said; // => ['closing the server']
 * (ctx.cause() as Error).message; // => 'terminated signal received'
 * stop(); // from here on, a signal kills the process again
 * ```
 */
export function notifyContext(parent: OtelContext, ...signals: string[]): [CancelContext, Cancel] {
  if (signals.length === 0) throw wrongType('signals', 'at least one signal name', undefined);
  for (const signal of signals) {
    if (typeof signal !== 'string') throw wrongType('signals', 'names such as SIGTERM', signal);
  }
  const { process } = globalThis as { process?: SignalEmitter };
  if (process === undefined) throw new TypeError('notifyContext needs a process that receives signals');
  const node = derive(parent, { longLived: true });
  nameNode(node, (up) => `signal.NotifyContext(${up}, [${signals.map(goName).join(' ')}])`);
  if (node.ending !== undefined) return [node, cancelFunction(node)];

  const received = (signal: string) => {
    cancelNode(node, 'canceled', 'signal', new SignalReceivedError(signal));
  };
  const forget = () => {
    for (const signal of signals) process.off(signal, received);
  };
  try {
    for (const signal of signals) process.on(signal, received);
  } catch (error) {
    // A signal that cannot be listened to: nothing half-built stays behind.
    forget();
    cancelFunction(node)();
    throw error;
  }
  addCallback(
    node,
    () => {
      // Its own signal keeps it listening until it is stopped; one that ended only an ancestor does not.
      const received = node.ending?.node === node && node.ending.origin === 'signal';
      if (!received) forget();
    },
    'now',
  );
  const end = cancelFunction(node);
  const cancel = ((cause?: unknown) => {
    end(cause);
    forget();
  }) as { (cause?: unknown): void; [Symbol.dispose]: () => void };
  cancel[Symbol.dispose] = cancel;
  return [node, cancel];
}
