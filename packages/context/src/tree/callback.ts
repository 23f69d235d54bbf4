import { context } from '@opentelemetry/api';
import { expireIfDue, releaseStandIn } from './ending';
import { callLater } from './notify';
import type { Callback, ContextNode } from '../plumbing/protocol';

const never = () => false;

/**
 * Registers a callback at the end of a node, bound to the OpenTelemetry context active now. On a node that has
 * already ended it is called in a later microtask, never inline, and cannot be stopped.
 */
export function addCallback(node: ContextNode, fn: () => unknown, when: Callback['when']): () => boolean {
  if (node.due !== undefined && node.ending === undefined) expireIfDue(node);
  const callback: Callback = {
    node,
    fn,
    active: context.active(),
    when,
    prev: node.lastCallback,
    next: undefined,
  };
  const ending = node.ending;
  if (ending !== undefined) {
    callback.prev = undefined;
    // After a retired request nothing ends any more: as on a root, it is never called and stops once.
    if (ending.retired && when !== 'always') return () => stop(callback);
    callLater(callback);
    return never;
  }
  if (callback.prev === undefined) node.firstCallback = callback;
  else callback.prev.next = callback;
  node.lastCallback = callback;
  return () => stop(callback);
}

/** Whether this call kept the callback from running. */
function stop(callback: Callback): boolean {
  const { node, prev, next } = callback;
  if (node === undefined) return false;
  callback.node = undefined;
  // While callbacks are being called their list is detached, and `next` must stay for the loop over it.
  if (prev !== undefined) prev.next = next;
  else if (node.firstCallback === callback) node.firstCallback = next;
  if (next !== undefined) next.prev = prev;
  else if (node.lastCallback === callback) node.lastCallback = prev;
  releaseStandIn(node);
  return true;
}
