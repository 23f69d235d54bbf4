import { context, type Context as OtelContext } from '@opentelemetry/api';
import { checkContext, checkKey } from './arguments';
import { describe } from './describe';
import { NODE_KEY } from './keys';
import { PROTOCOL, type ContextNode, type RootMark } from './protocol';
import type { Context } from './types';
import { layersOf, put, View, wrap } from './view';

const BACKGROUND = new View(undefined, undefined, undefined, undefined);

const TODO_MARK: RootMark = { protocol: 0, root: 'todo', description: 'context.TODO' };
const TODO = new View(TODO_MARK, undefined, undefined, undefined);

/** The node that a context carries, if any of this protocol. */
export function nodeOf(ctx: OtelContext): ContextNode | undefined {
  const carried = ctx.getValue(NODE_KEY) as ContextNode | RootMark | undefined;
  return carried !== undefined && carried.protocol === PROTOCOL ? (carried as ContextNode) : undefined;
}

/** The root of all contexts: never done, without values, the same object at each call. As Go's `Background`. */
export function background(): Context {
  return BACKGROUND;
}

/** A root for code that does not yet know which context to use: never done, but countable and lintable. */
export function todo(): Context {
  return TODO;
}

/** The active OpenTelemetry context as a Curfew one. Without a ContextManager, a context that never ends. */
export function active(): Context {
  return from(context.active());
}

/**
 * Any OpenTelemetry context as a Curfew one. It keeps its values, and its cancellation if it carries any.
 *
 * @throws TypeError if `ctx` is no Context.
 */
export function from(ctx: OtelContext): Context {
  checkContext(ctx, 'ctx');
  return 'layers' in ctx ? (ctx as unknown as Context) : wrap(ctx);
}

/**
 * A context with one value more. Any OpenTelemetry Context may be the parent.
 *
 * @param key A symbol, as `createContextKey()` makes it; the same description makes the same key.
 * @throws TypeError if the parent is no Context or the key no symbol.
 */
export function withValue(parent: OtelContext, key: symbol, value: unknown): Context {
  checkContext(parent, 'parent');
  checkKey(key);
  return put(parent.getValue(NODE_KEY) as ContextNode | undefined, layersOf(parent), key, value);
}

/** A name this long says enough; detaching again and again must not grow it for ever. */
const MAX_DESCRIPTION = 200;

/**
 * A context with the values and the span of the parent, but neither its cancellation nor its deadline: for work
 * that must go on, such as an audit write after the response. What is derived from it is a tree of its own.
 *
 * @throws TypeError if the parent is no Context.
 */
export function withoutCancel(parent: OtelContext): Context {
  checkContext(parent, 'parent');
  const layers = layersOf(parent);
  const node = nodeOf(parent);
  const carried = parent.getValue(NODE_KEY) as RootMark | undefined;
  const name = describe(node, node ?? carried, layers);
  const mark: RootMark = {
    protocol: 0,
    root: 'detached',
    description: `${name.length > MAX_DESCRIPTION ? `…${name.slice(-MAX_DESCRIPTION)}` : name}.WithoutCancel`,
  };
  return new View(mark, undefined, undefined, layers);
}
