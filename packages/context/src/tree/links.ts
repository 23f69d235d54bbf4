import { diag } from '@opentelemetry/api';
import type { ContextNode } from '../plumbing/protocol';

// What ends a node beside its parent: a signal, another context. A node may have several, and lets go of all at its end.

/** Notes how to stop listening to one of them. */
export function link(node: ContextNode, unlink: () => void): void {
  if (node.unlink === undefined) node.unlink = [unlink];
  else node.unlink.push(unlink);
}

/** Forgets a link that is over while the node lives on. */
export function forgetLink(node: ContextNode, unlink: () => void): void {
  const left = node.unlink?.filter((each) => each !== unlink);
  node.unlink = left?.length === 0 ? undefined : left;
}

export function unlinkAll(node: ContextNode): void {
  const { unlink } = node;
  if (unlink === undefined) return;
  node.unlink = undefined;
  for (const stop of unlink) {
    try {
      stop();
    } catch (error) {
      // Of somebody else's signal: it keeps a listener that does nothing any more. The rest of the tree must not.
      diag.debug('curfew: what a context listened to did not let go of it', error);
    }
  }
}
