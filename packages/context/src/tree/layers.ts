import type { Context as OtelContext } from '@opentelemetry/api';
import { FOREIGN } from '../plumbing/keys';
import type { Layer } from '../plumbing/protocol';

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

/** Layers are looked through for shadowed ones each time that their number reaches a power of two from here on. */
const FIRST_COMPACTION = 32;

/**
 * What to put a new layer with this key onto: `layers`, less what the new layer would shadow for good. A loop
 * that sets the same key again and again, as middleware does with spans, thus keeps one layer and not a
 * thousand.
 */
export function beneath(
  layers: Layer,
  key: symbol,
  again: (layer: Layer, rest: Layer | undefined) => Layer,
): Layer | undefined {
  // A layer without a key only says what its context carried, which the one above it says anew.
  if (layers.key === key || layers.key === undefined) return layers.rest;
  const { depth } = layers;
  if (depth < FIRST_COMPACTION || (depth & (depth - 1)) !== 0) return layers;
  return compact(layers, key, again);
}

/** The layers without those that are shadowed by one above, or by the new one. */
function compact(
  layers: Layer,
  key: symbol,
  again: (layer: Layer, rest: Layer | undefined) => Layer,
): Layer | undefined {
  const kept: Layer[] = [];
  const seen = new Set<symbol | undefined>([key]);
  for (let layer: Layer | undefined = layers; layer !== undefined; layer = layer.rest) {
    if (seen.has(layer.key)) continue;
    seen.add(layer.key);
    kept.push(layer);
  }
  let rebuilt: Layer | undefined;
  for (const layer of kept.reverse()) rebuilt = again(layer, rebuilt);
  return rebuilt;
}
