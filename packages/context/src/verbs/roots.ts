import { context, type Context as OtelContext } from '@opentelemetry/api';
import { checkContext, checkKey } from '../plumbing/arguments';
import { describe, isPlainRoot } from '../tree/describe';
import { LAYERS, NODE_KEY } from '../plumbing/keys';
import { PROTOCOL, type ContextNode, type Layer, type RootMark } from '../plumbing/protocol';
import type { Context } from '../plumbing/types';
import { layersOf, put, View, wrap } from '../tree/view';

const BACKGROUND = new View(undefined, undefined, undefined, undefined);

const TODO_MARK: RootMark = { protocol: 0, root: 'todo', description: 'context.TODO' };
const TODO = new View(TODO_MARK, undefined, undefined, undefined);

/**
 * The root of all contexts: never done, without values, the same object at each call. As Go's `Background`.
 * For the main program, tests and work that belongs to no request; within one, derive from `active()` or from the
 * context at hand, or what you start outlives it (telemetry counts that as a broken chain).
 *
 * @example
 * ```ts
 * import { background } from '@curfew/context';
 * background().signal; // => undefined
 * background().toString(); // => 'context.Background'
 * background() === background(); // => true
 * ```
 */
export function background(): Context {
  return BACKGROUND;
}

/**
 * A root for code that does not yet know which context to use: never done, but countable and lintable. As Go's `TODO`.
 *
 * @example
 * ```ts
 * import { todo, withCancel } from '@curfew/context';
 * const [ctx, cancel] = withCancel(todo());
 * using _ = cancel;
 * ctx.toString(); // => 'context.TODO.WithCancel'
 * ```
 */
export function todo(): Context {
  return TODO;
}

/**
 * The active OpenTelemetry context as a Curfew one: what `context.active()` returns, with the methods. Without a
 * registered ContextManager nothing is ever active, and this is a context that never ends: hand contexts on
 * explicitly there.
 *
 * @example
 * ```ts
 * import { active, background, run, withCancel } from '@curfew/context';
 * const [ctx, cancel] = withCancel(background());
 * using _ = cancel;
 * await run(ctx, async () => {
 *   await Promise.resolve();
 *   return active().signal === ctx.signal;
 * }); // => true
 * ```
 */
export function active(): Context {
  return from(context.active());
}

/**
 * Any OpenTelemetry context as a Curfew one. It keeps its values, and its cancellation if it carries any; otherwise it
 * never ends. A context that has the methods already is returned as it is.
 *
 * @throws TypeError if `ctx` is no Context.
 * @example
 * ```ts
 * import { from, background, withCancel } from '@curfew/context';
 * import { ROOT_CONTEXT, type Context } from '@opentelemetry/api';
 * function handler(ctx: Context) {
 *   return from(ctx).signal?.aborted;
 * }
 * const [ctx, cancel] = withCancel(background());
 * cancel();
 * [handler(ctx), handler(ROOT_CONTEXT)]; // => [true, undefined]
 * ```
 */
export function from(ctx: OtelContext): Context {
  checkContext(ctx, 'ctx');
  return LAYERS in ctx ? (ctx as unknown as Context) : wrap(ctx);
}

/**
 * A context with one value more; its cancellation and deadline are the parent's own. Any OpenTelemetry Context may be
 * the parent. A value of `undefined` hides the parent's.
 *
 * @param key A symbol, as `createContextKey()` makes it; the same description makes the same key, so put the name of
 *   your package into it.
 * @throws TypeError if the parent is no Context or the key no symbol.
 * @example
 * ```ts
 * import { background, withValue } from '@curfew/context';
 * import { createContextKey } from '@opentelemetry/api';
 * const USER = createContextKey('my-app.user');
 * const ctx = withValue(background(), USER, 'ada');
 * ctx.getValue(USER); // => 'ada'
 * background().getValue(USER); // => undefined
 * ```
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
 * that must go on, such as an audit write after the response. What is derived from it is a tree of its own, which
 * nothing limits: give it a timeout.
 *
 * @throws TypeError if the parent is no Context.
 * @example
 * ```ts
 * import { background, withCancel, withoutCancel, withTimeout } from '@curfew/context';
 * const [request, hangUp] = withCancel(background());
 * const [audit, release] = withTimeout(withoutCancel(request), 5_000);
 * hangUp(new Error('the client left'));
 * audit.err(); // => undefined
 * release();
 * ```
 */
export function withoutCancel(parent: OtelContext): Context {
  checkContext(parent, 'parent');
  const layers = layersOf(parent);
  const carried = parent.getValue(NODE_KEY) as ContextNode | RootMark | undefined;
  return new View(detachedFrom(carried, layers), undefined, undefined, layers);
}

/**
 * As `withoutCancel`, but its name does not tell of the parent: to put that into words takes longer than to detach, and
 * nobody prints what an adapter detaches for each request and query. Never throws on a context.
 *
 * @example
 * ```ts
 * import { background, withCancel, withValue } from '@curfew/context';
 * import { canEnd, detach } from '@curfew/context/spi';
 * const key = Symbol('key');
 * const [request] = withCancel(withValue(background(), key, 'kept'));
 * const ctx = detach(request);
 * [canEnd(ctx), ctx.getValue(key)]; // => [false, 'kept']
 * ctx.toString(); // => 'context.Background.WithoutCancel'
 * ```
 */
export function detach(parent: OtelContext): Context {
  return new View(DETACHED, undefined, undefined, layersOf(parent));
}

/** A root that has no name beyond its values: what every request starts from. */
const DETACHED: RootMark = detached('context.Background');

function detachedFrom(carried: ContextNode | RootMark | undefined, layers: Layer): RootMark {
  if (carried === undefined && isPlainRoot(layers)) return DETACHED;
  const node = carried !== undefined && carried.protocol === PROTOCOL ? carried : undefined;
  const name = describe(node, carried, layers);
  return detached(name.length > MAX_DESCRIPTION ? `…${name.slice(-MAX_DESCRIPTION)}` : name);
}

function detached(name: string): RootMark {
  return { protocol: 0, root: 'detached', description: `${name}.WithoutCancel` };
}
