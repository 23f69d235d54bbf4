import { builtin } from '../plumbing/builtin';
import { cancelNode } from './ending';
import { reasonOf } from '../plumbing/errors';
import { link } from './links';
import type { ContextNode } from '../plumbing/protocol';

interface Events {
  addAbortListener?(signal: AbortSignal, listener: () => void): Disposable;
  setMaxListeners?(count: number, target: EventTarget): void;
}

const events = builtin<Events>('node:events');

/**
 * Listens on a signal; returns how to stop. Node's `addAbortListener` also survives a listener of somebody
 * else's that stops the event.
 */
function listen(signal: AbortSignal, listener: () => void): () => void {
  if (events?.addAbortListener !== undefined) {
    // Node 20 warns of the eleventh listener of a signal. A shutdown signal has one for every live context, and each
    // goes when its context does: no leak to warn of.
    events.setMaxListeners?.(0, signal);
    const listening = events.addAbortListener(signal, listener);
    return () => listening[Symbol.dispose]();
  }
  signal.addEventListener('abort', listener, { once: true });
  return () => signal.removeEventListener('abort', listener);
}

/** Ends a node when a signal aborts. The signal holds one listener while the node lives, none after. */
export function followSignal(node: ContextNode, signal: AbortSignal): void {
  if (node.ending !== undefined) return;
  if (signal.aborted) {
    endBySignal(node, signal);
    return;
  }
  const heard = () => {
    // Anybody can dispatch an event of this name: only the signal itself tells. A forged one has used the listener up.
    if (signal.aborted) endBySignal(node, signal);
    else stop = listen(signal, heard);
  };
  let stop = listen(signal, heard);
  link(node, () => stop());
}

function endBySignal(node: ContextNode, signal: AbortSignal): void {
  const reason: unknown = signal.reason;
  cancelNode(node, isTimeout(reason) ? 'deadline_exceeded' : 'canceled', 'signal', reason);
}

function isTimeout(reason: unknown): boolean {
  const known = reasonOf(reason);
  if (known !== undefined) return known === 'deadline_exceeded';
  try {
    return (reason as { name?: unknown } | undefined)?.name === 'TimeoutError';
  } catch {
    return false;
  }
}
