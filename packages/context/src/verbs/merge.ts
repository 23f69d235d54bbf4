import type { Context as OtelContext } from '@opentelemetry/api';
import { checkContext, checkOptions } from '../plumbing/arguments';
import { addCallback } from '../tree/callback';
import { cancelFunction, derive } from './derive';
import { cancelNode, expireIfDue, releaseNode, releaseStandIn } from '../tree/ending';
import { callDue, inheritDeadlines } from '../tree/inherit-deadlines';
import { forgetLink, link } from '../tree/links';
import type { TreeNode } from '../tree/node';
import { Flag, type ContextNode, type Due } from '../plumbing/protocol';
import { endOf } from '../tree/carried';
import { runtime } from '../plumbing/runtime';
import type { Cancel, CancelContext, DeriveOptions } from '../plumbing/types';

/**
 * A context with the values, the span and the tree of one context that is ended by another one too, with its
 * reason and cause: whichever ends first. The earlier of their deadlines is its own, as long as it is theirs: it goes
 * with a request that is retired. Go builds this by hand from `AfterFunc`. Where both have ended, `values` comes first.
 *
 * The link to `other` is a callback: listeners of `other` that were registered before it see the merged context
 * a moment before it ends.
 *
 * @throws TypeError if either is no Context.
 * @example
 * ```ts
 * import { background, withCancel, merge } from '@curfew/context';
 * const [request] = withCancel(background());
 * const [shutdown, stop] = withCancel(background());
 * const [ctx, cancel] = merge(request, shutdown);
 * stop('going down');
 * ctx.cause(); // => 'going down'
 * cancel();
 * ```
 */
export function merge(
  values: OtelContext,
  other: OtelContext,
  options?: DeriveOptions,
): [CancelContext, Cancel] {
  checkContext(values, 'values');
  checkContext(other, 'other');
  checkOptions(options, 'options');
  // Read before anything is linked: a getter may throw.
  const terms: Terms = { cause: options?.cause, ref: options?.ref === true };
  const node = derive(values, options);
  const up = endOf(other);
  if (up !== undefined) follow(node, up, terms);
  return [node, cancelFunction(node)];
}

/** What the options say of the deadline: a cause of its own, if any, and whether its timer keeps the process alive. */
type Terms = Pick<Due, 'cause' | 'ref'>;

function follow(node: TreeNode, up: ContextNode, terms: Terms): void {
  if (up.ending === undefined) expireIfDue(up);
  if (up.ending !== undefined) {
    endWith(node, up);
    return;
  }
  if (node.ending !== undefined) {
    releaseStandIn(up);
    return;
  }
  const stop = addCallback(
    up,
    () => {
      endWith(node, up);
      takeDeadline(node, up, terms);
      // Nothing is to come from a request that is retired, and it must not be kept for as long as a job lives.
      if (up.ending !== undefined) forgetLink(node, unlink);
    },
    'due',
  );
  const unlink = () => void stop();
  link(node, unlink);
  if (up.due !== undefined) takeDeadline(node, up, terms);
}

/** Gives a node the deadline that another one has now, if any, in place of the one that it had. */
function takeDeadline(node: TreeNode, up: ContextNode, { cause, ref }: Terms): void {
  if (node.ending !== undefined) return;
  const { own: former } = node;
  if (former?.node !== undefined) runtime.deadlines?.remove(former);
  const { due } = up;
  node.own = due && { ...due, node: undefined, cause: cause ?? due.cause, ref, order: 0 };
  inheritDeadlines(node);
  if (due !== undefined && node.due === node.own) node.flags |= Flag.WITH_DEADLINE;
  callDue();
}

/** Ends a node as another one ended. After a retired request nothing ends any more. */
function endWith(node: TreeNode, up: ContextNode): void {
  const { ending } = up;
  if (ending === undefined || ending.retired) return;
  if (ending.reason === undefined) releaseNode(node);
  else cancelNode(node, ending.reason, ending.origin, ending.cause, ending.automatic);
}
