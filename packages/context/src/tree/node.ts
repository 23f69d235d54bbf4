// The node of the cancellation tree, and not Node.js: what withCancel and all others that derive hand out.

import { addCallback } from './callback';
import { describe } from './describe';
import type { CanceledError, DeadlineExceededError } from '../plumbing/errors';
import { LAYERS, NODE_KEY } from '../plumbing/keys';
import {
  PROTOCOL,
  type Callback,
  type ContextNode,
  type Due,
  type Ending,
  type Layer,
  type Operations,
} from '../plumbing/protocol';
import { causeOf, deadlineOf, errOf, remainingOf, signalOf } from './answers';
import type { CancelContext, Context } from '../plumbing/types';
import { lookup, put } from './view';

/** A cancellable context: the node of the tree, and the view of it that users hold, in one object. */
export class TreeNode implements CancelContext, ContextNode {
  declare readonly protocol: number;
  // Declared only: parameter properties are written twice, as fields of the class and by the constructor.
  declare readonly name: string | undefined;
  declare flags: number;
  declare readonly layers: Layer;
  declare parent: ContextNode | undefined;
  prev: ContextNode | undefined = undefined;
  next: ContextNode | undefined = undefined;
  firstChild: ContextNode | undefined = undefined;
  lastChild: ContextNode | undefined = undefined;
  own: Due | undefined = undefined;
  due: Due | undefined = undefined;
  ending: Ending | undefined = undefined;
  firstCallback: Callback | undefined = undefined;
  lastCallback: Callback | undefined = undefined;
  controller: AbortController | undefined = undefined;
  unlink: (() => void)[] | undefined = undefined;
  operations: Operations | undefined = undefined;
  slot = -1;

  constructor(name: string | undefined, flags: number, layers: Layer, parent: ContextNode | undefined) {
    this.name = name;
    this.flags = flags;
    this.layers = layers;
    this.parent = parent;
  }

  get [LAYERS](): Layer {
    return this.layers;
  }

  getValue(key: symbol): unknown {
    return key === NODE_KEY ? this : lookup(this.layers, key);
  }

  setValue(key: symbol, value: unknown): Context {
    return put(this, this.layers, key, value);
  }

  deleteValue(key: symbol): Context {
    return put(this, this.layers, key, undefined);
  }

  get signal(): AbortSignal {
    return signalOf(this);
  }

  err(): CanceledError | DeadlineExceededError | undefined {
    return errOf(this);
  }

  cause(): unknown {
    return causeOf(this);
  }

  deadline(): Date | undefined {
    return deadlineOf(this);
  }

  remaining(): number {
    return remainingOf(this);
  }

  throwIfDone(): void {
    const error = errOf(this);
    if (error !== undefined) throw error;
  }

  toString(): string {
    return describe(this, this, this.layers);
  }

  onEnd(fn: () => void): () => boolean {
    return addCallback(this, fn, 'now');
  }
}

// On the prototype: a field of every node would cost eight bytes each to hold one number.
Object.defineProperty(TreeNode.prototype, 'protocol', { value: PROTOCOL });
