import type { Context as OtelContext } from '@opentelemetry/api';
import { nodeIn } from './carried';
import { describe } from './describe';
import type { CanceledError, DeadlineExceededError } from '../plumbing/errors';
import { FOREIGN, NODE_KEY } from '../plumbing/keys';
import { beneath, lookup } from './layers';
import type { ContextNode, Layer, RootMark } from '../plumbing/protocol';
import type { Context } from '../plumbing/types';

/** A context that adds one value to another, or that shows a foreign one with Curfew's methods. */
export class View implements Context, Layer {
  readonly depth: number;

  constructor(
    readonly node: ContextNode | RootMark | undefined,
    readonly key: symbol | undefined,
    readonly value: unknown,
    readonly rest: Layer | undefined,
  ) {
    this.depth = rest === undefined ? 1 : rest.depth + 1;
  }

  get layers(): Layer {
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
  return new View(node, key, value, beneath(layers, key, again));
}

/** A layer once more, over what is left of those beneath it. */
function again(layer: Layer, rest: Layer | undefined): Layer {
  return new View(layer.node, layer.key, layer.value, rest);
}

/** A view of a context of somebody else's class. */
export function wrap(ctx: OtelContext): View {
  return new View(ctx.getValue(NODE_KEY) as ContextNode | RootMark | undefined, FOREIGN, ctx, undefined);
}

/** The layers of any context: its own if it is one of ours or of another copy's, else a view of it. */
export function layersOf(ctx: OtelContext): Layer {
  return (ctx as { layers?: Layer }).layers ?? wrap(ctx);
}
