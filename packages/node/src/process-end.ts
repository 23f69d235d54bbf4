import { isMainThread } from 'node:worker_threads';
import type { Handle } from './handle';

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

/**
 * Flushes when the process ends by itself, or by SIGTERM or SIGINT, and leaves how it ends to whoever decided that
 * so far. `process.exit()` and a crash leave no time for it.
 */
export function flushAtEnd(handle: Handle): void {
  // Once: a flush is work, and after it Node.js tells of the end again.
  process.once('beforeExit', () => void handle.flush());
  if (isMainThread) for (const signal of SIGNALS) flushOnSignal(signal, handle);
}

/**
 * A listener takes away a signal's default action, which is to end the process. So where it is the only one, it
 * goes after the flush and the signal is raised again: the exit status is what it would have been, and a second
 * signal meanwhile ends the process at once. Where the application listens too, the end is the application's.
 */
function flushOnSignal(signal: NodeJS.Signals, handle: Handle): void {
  const onSignal = () => {
    const flushed = handle.flush();
    if (process.listenerCount(signal) > 1) return;
    process.off(signal, onSignal);
    void flushed.then(() => process.kill(process.pid, signal));
  };
  process.on(signal, onSignal);
}
