import { ROOT_CONTEXT } from '@opentelemetry/api';
import { FOREIGN } from '../plumbing/keys';
import { Flag, PROTOCOL, type ContextNode, type Layer, type RootMark } from '../plumbing/protocol';
import { runtime } from '../plumbing/runtime';
import { dateOf } from './answers';

/** Gives a node a name that wraps its parent's, as `signal.NotifyContext(…)` does in Go. */
export function nameNode(node: ContextNode, name: (parent: string) => string): void {
  runtime.names.set(node, name);
}

/**
 * The derivation in Go's notation, from the root: `context.Background.WithValue(user, Session).WithCancel`.
 * Values are shown by type unless they are strings, so that nothing is serialised into a log by accident.
 */
export function describe(
  node: ContextNode | undefined,
  bottom: ContextNode | RootMark | undefined,
  layers: Layer,
): string {
  const parts: string[] = [];
  let at = node;
  let layer: Layer | undefined = layers;
  let root = bottom;
  for (;;) {
    // The values that were put over this node come after it; those of its parent, before.
    while (layer !== undefined && layer.node === (at ?? root) && layer !== at?.layers) {
      const part = layerPart(layer);
      if (part !== undefined) parts.push(part);
      layer = layer.rest;
    }
    if (at === undefined) break;
    if (at.protocol !== PROTOCOL) {
      // Another protocol's node tells its own name.
      parts.push(at.toString());
      return parts.reverse().join('.');
    }
    const name = runtime.names.get(at);
    if (name !== undefined) {
      parts.push(name(describe(at.parent, at.parent ?? at.layers.node, at.layers)));
      return parts.reverse().join('.');
    }
    parts.push(nodePart(at));
    layer = at.layers;
    root = layer.node;
    at = at.parent ?? stranger(root);
  }
  const mark = root !== undefined && root.protocol === 0 ? (root as RootMark) : undefined;
  parts.push(mark?.description ?? foreignName(layers) ?? 'context.Background');
  return parts.reverse().join('.');
}

/** A node of another protocol, which is a parent that its child is not linked to. */
function stranger(node: ContextNode | RootMark | undefined): ContextNode | undefined {
  const known = node === undefined || node.protocol === 0 || node.protocol === PROTOCOL;
  return known ? undefined : (node as ContextNode);
}

function nodePart(node: ContextNode): string {
  const own = node.own;
  if ((node.flags & Flag.WITH_DEADLINE) === 0 || own === undefined) return 'WithCancel';
  const left = own.at - runtime.clock.now();
  return `WithDeadline(${dateOf(own).toISOString()} [${Math.round(left)}ms])`;
}

function layerPart(layer: Layer): string | undefined {
  if (layer.key === undefined || layer.key === FOREIGN) return undefined;
  return `WithValue(${layer.key.description ?? ''}, ${typeName(layer.value)})`;
}

function typeName(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value === null || value === undefined) return '<nil>';
  if (typeof value !== 'object') return typeof value;
  try {
    const { constructor } = value as { constructor?: { name?: unknown } };
    return typeof constructor?.name === 'string' ? constructor.name : 'Object';
  } catch {
    return 'Object';
  }
}

/** Whether the layers are OpenTelemetry's own context and nothing else, which is called `context.Background`. */
export function isPlainRoot(layers: Layer): boolean {
  return layers.key === FOREIGN && foreignName(layers) === undefined;
}

/** The class of a foreign context at the bottom, unless it is OpenTelemetry's own. */
function foreignName(layers: Layer): string | undefined {
  let layer: Layer | undefined = layers;
  while (layer?.rest !== undefined) layer = layer.rest;
  if (layer?.key !== FOREIGN) return undefined;
  // By far the most frequent, and cheaper to compare than its name.
  if ((layer.value as object).constructor === ROOT_CONTEXT.constructor) return undefined;
  const name = typeName(layer.value);
  return name === 'BaseContext' ? undefined : name;
}
