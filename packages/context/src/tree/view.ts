import type { Context as OtelContext } from '@opentelemetry/api';
import { describe } from './describe';
import type { CanceledError, DeadlineExceededError } from '../plumbing/errors';
import { FOREIGN, LAYERS, NODE_KEY } from '../plumbing/keys';
import type { ContextNode, Layer, RootMark } from '../plumbing/protocol';
import type { Context } from '../plumbing/types';

/** A context that adds one value to another, or that shows a foreign one with Curfew's methods. */
export class View implements Context, Layer {
  // Declared only, as in the node: each would be written twice.
  declare readonly node: ContextNode | RootMark | undefined;
  declare readonly key: symbol | undefined;
  declare readonly value: unknown;
  declare readonly rest: Layer | undefined;
  declare readonly depth: number;

  constructor(
    node: ContextNode | RootMark | undefined,
    key: symbol | undefined,
    value: unknown,
    rest: Layer | undefined,
  ) {
    this.node = node;
    this.key = key;
    this.value = value;
    this.rest = rest;
    this.depth = rest === undefined ? 1 : rest.depth + 1;
  }

  get [LAYERS](): Layer {
    return this;
  }

  getValue(key: symbol): unknown {
    return key === NODE_KEY ? this.node : lookup(this, key);
  }

  setValue(key: symbol, value: unknown): Context {
    return put(this.node, this, key, value);
  }

  deleteValue(key: symbol): Context {
    return put(this.node, this, key, undefined);
  }

  get signal(): AbortSignal | undefined {
    return nodeIn(this.node)?.signal;
  }

  err(): CanceledError | DeadlineExceededError | undefined {
    return nodeIn(this.node)?.err();
  }

  cause(): unknown {
    return nodeIn(this.node)?.cause();
  }

  deadline(): Date | undefined {
    return nodeIn(this.node)?.deadline();
  }

  remaining(): number {
    return nodeIn(this.node)?.remaining() ?? Infinity;
  }

  throwIfDone(): void {
    const error = this.err();
    if (error !== undefined) throw error;
  }

  toString(): string {
    return describe(nodeIn(this.node), this.node, this);
  }
}

/** What is carried, of whatever protocol, if it is a node and not the mark of a root. It answers by its own methods. */
export function nodeIn(carried: ContextNode | RootMark | undefined): ContextNode | undefined {
  return carried !== undefined && carried.protocol !== 0 ? (carried as ContextNode) : undefined;
}

/** Puts a value over layers. Setting our own key replaces the node, as a library that copies contexts does. */
export function put(
  node: ContextNode | RootMark | undefined,
  layers: Layer,
  key: symbol,
  value: unknown,
): Context {
  if (key === NODE_KEY) {
    return new View(value as ContextNode | undefined, layers.key, layers.value, layers.rest);
  }
  return new View(node, key, value, beneath(layers, key));
}

/** The value of the nearest layer with this key. */
export function lookup(layers: Layer, key: symbol): unknown {
  let layer: Layer | undefined = layers;
  while (layer !== undefined) {
    if (layer.key === key) return layer.value;
    if (layer.key === FOREIGN) return (layer.value as OtelContext).getValue(key);
    layer = layer.rest;
  }
  return undefined;
}

/** Shadowed layers are looked for when there are this many, and each time that their number has doubled. */
const FIRST_COMPACTION = 32;

/**
 * What a new value with this key is put onto: `layers`, without what nobody could read any more. Without this, a loop
 * that sets the same key again and again, as middleware does with spans, would make a thousand layers that hold a
 * thousand spans.
 */
function beneath(layers: Layer, key: symbol): Layer | undefined {
  // The new value hides this one. One without a key has no value: it only keeps a node, and the new one keeps its own.
  if (layers.key === key || layers.key === undefined) return layers.rest;
  const { depth } = layers;
  const isPowerOfTwo = (depth & (depth - 1)) === 0;
  if (depth < FIRST_COMPACTION || !isPowerOfTwo) return layers;
  return withoutShadowed(layers, key);
}

/** The layers anew, less those whose key is that of one above, or of the new one. */
function withoutShadowed(layers: Layer, key: symbol): Layer | undefined {
  const kept: Layer[] = [];
  const seen = new Set<symbol | undefined>([key]);
  for (let layer: Layer | undefined = layers; layer !== undefined; layer = layer.rest) {
    if (seen.has(layer.key)) continue;
    seen.add(layer.key);
    kept.push(layer);
  }
  let rebuilt: Layer | undefined;
  for (const layer of kept.reverse()) rebuilt = new View(layer.node, layer.key, layer.value, rebuilt);
  return rebuilt;
}

/** A view of a context of somebody else's class. */
export function wrap(ctx: OtelContext): View {
  return new View(ctx.getValue(NODE_KEY) as ContextNode | RootMark | undefined, FOREIGN, ctx, undefined);
}

/** The layers of any context: its own if it is one of ours or of another copy's, else a view of it. */
export function layersOf(ctx: OtelContext): Layer {
  return (ctx as { [LAYERS]?: Layer })[LAYERS] ?? wrap(ctx);
}
