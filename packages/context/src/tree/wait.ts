import { addCallback } from './callback';
import { errorOf, expireIfDue, releaseNode } from './ending';
import type { ContextNode, Operation } from '../plumbing/protocol';

/**
 * Somebody waits for a promise until a context ends. This is all that the promise holds of it, and it is emptied once
 * the wait is over, since the promise may outlive the context by far.
 */
export interface Wait<T> {
  /** `undefined` once the context has ended, or is retired and never will. */
  node: ContextNode | undefined;
  resolve: ((value: T) => void) | undefined;
  reject: ((error: unknown) => void) | undefined;
  /** Stops listening for the end. */
  stop: (() => boolean) | undefined;
  /** What is settled with the promise, if anything. */
  readonly operation: Operation | undefined;
  /** Whether the context is released when the wait is over. */
  readonly owned: boolean;
}

/** A wait and what it results in: the outcome that `settle` is told, or a rejection once the node ends. */
export function beginWait<T>(
  node: ContextNode,
  operation: Operation | undefined,
  owned = false,
): [Wait<T>, Promise<T>] {
  const wait: Wait<T> = { node, resolve: undefined, reject: undefined, stop: undefined, operation, owned };
  const result = new Promise<T>((resolve, reject) => {
    wait.resolve = resolve;
    wait.reject = reject;
  });
  if (node.ending === undefined) expireIfDue(node);
  if (node.ending === undefined) wait.stop = addCallback(node, () => heed(wait), 'due');
  else heed(wait);
  return [wait, result];
}

/** Of the end of the node, or its retirement. Apart from where it is registered, for a closure holds all of its scope. */
function heed<T>(wait: Wait<T>): void {
  const { node, reject } = wait;
  if (node?.ending === undefined) return;
  wait.node = undefined;
  wait.stop = undefined;
  if (node.ending.retired) return;
  wait.resolve = undefined;
  wait.reject = undefined;
  reject?.(errorOf(node));
}

/** The wait is over: `tell` says how. A deadline that has passed by the clock wins over it. */
export function settle<T>(wait: Wait<T>, tell: (wait: Wait<T>) => void): void {
  const { node } = wait;
  wait.operation?.settle();
  // The callback above rejects where it has passed.
  if (node !== undefined && node.ending === undefined) expireIfDue(node);
  tell(wait);
  wait.stop?.();
  wait.node = undefined;
  wait.resolve = undefined;
  wait.reject = undefined;
  wait.stop = undefined;
  if (node !== undefined && wait.owned) releaseNode(node);
}

/** Waits for a promise. What the promise holds of it, for as long as it is there, is the wait and nothing beside it. */
export function waitFor<T>(wait: Wait<T>, promise: Promise<T>): void {
  promise.then(
    (value) => settle(wait, ({ resolve }) => resolve?.(value)),
    (error: unknown) => settle(wait, ({ reject }) => reject?.(error)),
  );
}

/** Settles as the promise does, or rejects with the node's error once it ends. */
export function untilEnd<T>(node: ContextNode, promise: Promise<T>, operation?: Operation): Promise<T> {
  const [wait, result] = beginWait<T>(node, operation);
  waitFor(wait, promise);
  return result;
}
