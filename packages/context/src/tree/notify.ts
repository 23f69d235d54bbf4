import { context } from '@opentelemetry/api';
import type { Callback, ContextNode } from '../plumbing/protocol';

/** Calls the callbacks, each in the OpenTelemetry context that was active when it was registered. */
export function notify(nodes: readonly ContextNode[]): void {
  let active: unknown;
  for (const node of nodes) {
    let callback = node.firstCallback;
    if (callback === undefined) continue;
    node.firstCallback = undefined;
    node.lastCallback = undefined;
    active ??= context.active();
    for (; callback !== undefined; callback = callback.next) {
      // Stopped by a callback that ran before it.
      if (callback.node === undefined) continue;
      callback.node = undefined;
      if (callback.when === 'now' || callback.when === 'due') call(callback, active);
      else callLater(callback);
    }
  }
}

/** Calls one, in the end itself or while a deadline changes. What it throws surfaces later. */
export function call(callback: Callback, active: unknown): void {
  try {
    if (callback.active === active) callback.fn();
    else context.with(callback.active, callback.fn);
  } catch (error) {
    // As a native listener that throws: nobody else is harmed, and it surfaces once.
    queueMicrotask(() => {
      throw error;
    });
  }
}

/** Calls a callback in a turn of its own. What it throws, or the promise it returns rejects with, surfaces. */
export function callLater(callback: Callback): void {
  queueMicrotask(() => {
    void context.with(callback.active, callback.fn);
  });
}
