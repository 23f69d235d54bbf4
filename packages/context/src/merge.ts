import type { Context as OtelContext } from '@opentelemetry/api';
import { checkContext, checkOptions } from './arguments';
import { addCallback } from './callback';
import { cancelFunction, derive, deriveUntil } from './derive';
import { cancelNode, expireIfDue, releaseNode } from './ending';
import type { TreeNode } from './node';
import type { ContextNode } from './protocol';
import { nodeOf } from './roots';
import { runtime } from './runtime';
import type { Cancel, CancelContext, DeriveOptions } from './types';

/**
 * A context with the values, the span and the tree of one context that is ended by another one too, with its
 * reason and cause: whichever ends first. The earlier of their deadlines is its own. Go builds this by hand from
 * `AfterFunc`. Where both have ended, `values` comes first.
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
  const up = nodeOf(other);
  const until = up?.ending === undefined ? up?.due : undefined;
  const node =
    until === undefined
      ? derive(values, options)
      : deriveUntil(
          values,
          until.at - runtime.clock.now(),
          undefined,
          { ...options, cause: until.cause },
          until.limit,
        );
  if (up !== undefined) follow(node, up);
  return [node, cancelFunction(node)];
}

function follow(node: TreeNode, up: ContextNode): void {
  if (up.ending === undefined) expireIfDue(up);
  if (up.ending !== undefined) {
    endWith(node, up);
    return;
  }
  if (node.ending !== undefined) return;
  const stop = addCallback(up, () => endWith(node, up), 'now');
  node.unlink = () => void stop();
}

/** Ends a node as another one ended. After a retired request nothing ends any more. */
function endWith(node: TreeNode, up: ContextNode): void {
  const { ending } = up;
  if (ending === undefined || ending.retired) return;
  if (ending.reason === undefined) releaseNode(node);
  else cancelNode(node, ending.reason, ending.origin, ending.cause, ending.automatic);
}
