import { isMainThread } from 'node:worker_threads';
import type * as CurfewHttp from '@curfew/http';
import type { Handle } from './handle';

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

/**
 * Flushes when the process ends by itself, or by SIGTERM or SIGINT, and leaves how it ends to whoever decided that
 * so far. `process.exit()` and a crash leave no time for it.
 */
export function flushAtEnd(handle: Handle): void {
  allowOneListenerMore();
  flushBeforeExit(handle);
  if (isMainThread) for (const signal of SIGNALS) flushOnSignal(signal, handle);
}

/** Ours beside ten of the application's must not be the one that has Node.js warn of a leak. */
function allowOneListenerMore(): void {
  const most = process.getMaxListeners();
  // Zero is no limit.
  if (most > 0) process.setMaxListeners(most + 1);
}

/**
 * Flushes once nothing is left to do. A flush is work, and after it Node.js tells of the end again: those who have heard of
 * it are not to hear it twice, unless they made work themselves.
 */
function flushBeforeExit(handle: Handle): void {
  process.once('beforeExit', () => {
    // What there is now holds no process, or this would not be told.
    const before = countWork();
    let idle = true;
    const look = () => {
      idle &&= countWork() <= before;
    };
    // Behind the other listeners, and once more behind what they wait for without making work.
    queueMicrotask(look);
    setImmediate(() => {
      look();
      void handle.flush().then(() => {
        if (idle) hideNextEnd();
      });
    });
  });
}

/** What may hold the process. Output does not, and is first opened by whoever writes. */
function countWork(): number {
  return process.getActiveResourcesInfo().filter((kind) => !/^(PipeWrap|TTYWrap|Immediate)$/.test(kind))
    .length;
}

/** Keeps the end that Node.js tells of next from the listeners there are, and no later one. */
function hideNextEnd(): void {
  const listeners = process.rawListeners('beforeExit') as (() => void)[];
  process.removeAllListeners('beforeExit');
  process.once('beforeExit', () => {
    for (const listener of listeners) process.on('beforeExit', listener);
  });
}

/**
 * A listener takes away a signal's default action, which is to end the process. So where it is the only one, it
 * goes after the flush and the signal is raised again: the exit status is what it would have been, and a second
 * signal meanwhile ends the process at once. Where the application listens too, the end is the application's. What this
 * side closes from then on, it closes since it shuts down.
 */
function flushOnSignal(signal: NodeJS.Signals, handle: Handle): void {
  const onSignal = () => {
    if (handle.telemetry !== undefined) {
      // Only where it is loaded anyway: with the SDK disabled, nothing of it is.
      // eslint-disable-next-line @typescript-eslint/no-require-imports
      (require('@curfew/http') as typeof CurfewHttp).beginShutdown();
    }
    const flushed = handle.flush();
    if (process.listenerCount(signal) > 1) return;
    process.off(signal, onSignal);
    void flushed.then(() => process.kill(process.pid, signal));
  };
  process.on(signal, onSignal);
}
