import { context } from '@opentelemetry/api';
import { call } from './notify';
import type { Callback, ContextNode } from '../plumbing/protocol';
import { runtime } from '../plumbing/runtime';

/**
 * Works out the earliest deadline anew for a subtree that lost the one it had, or was given one. Whoever asked for it
 * has those called that follow these deadlines, with `callDue`, once it has nothing left to do.
 */
export function inheritDeadlines(root: ContextNode): void {
  for (let node: ContextNode | undefined = root; node !== undefined; node = after(node, root)) {
    const former = node.due;
    const inherited = node.parent?.due;
    const own = node.own?.limit === 'observed' ? undefined : node.own;
    node.due = own !== undefined && (inherited === undefined || own.at < inherited.at) ? own : inherited;
    if (own !== undefined && node.due === own && own.node === undefined) {
      own.node = node;
      runtime.deadlines?.add(own);
    }
    if (node.due !== former) queueDue(node);
  }
}

/**
 * Callbacks of kind `due` that are still to be called, each once. One that is called may add others, which come after
 * it: what is merged with what is merged, and so on, however many times. Each installed copy has such a list: called
 * from within that of another, it is worked off one level deeper, and no more.
 */
const queued = new Set<Callback>();
let calling = false;

/** Has those called that follow the deadline of a node. */
export function queueDue(node: ContextNode): void {
  for (let callback = node.firstCallback; callback !== undefined; callback = callback.next) {
    if (callback.when === 'due') queued.add(callback);
  }
}

/**
 * Calls them, in the turn in which the deadline changed: nobody must notice one that has gone. No recursion, whoever
 * is inside of such a call already goes on with what has been added.
 */
export function callDue(): void {
  if (calling || queued.size === 0) return;
  const active = context.active();
  calling = true;
  for (const callback of queued) {
    // Before the call, so that it can be queued anew.
    queued.delete(callback);
    if (callback.node !== undefined) call(callback, active);
  }
  calling = false;
}

/** The node after this one in pre-order within the subtree of `root`; `undefined` at its end. */
export function after(node: ContextNode, root: ContextNode): ContextNode | undefined {
  if (node.firstChild !== undefined) return node.firstChild;
  let at: ContextNode | undefined = node;
  while (at !== undefined && at !== root) {
    if (at.next !== undefined) return at.next;
    at = at.parent;
  }
  return undefined;
}
