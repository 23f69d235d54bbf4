import type { ReceivedPoint } from './received';

/** Figures by series, as Prometheus names them: the same whichever way they came. */
export type Figures = Readonly<Record<string, number>>;

/** Of an exposition. What only says who exposes it is left out. */
export function fromExposition(text: string): Figures {
  const figures: Record<string, number> = {};
  for (const line of text.split('\n')) {
    const [, name = '', labels = '', value] = /^(curfew_\w+)(?:\{(.*)\})? (\S+)(?: \d+)?$/.exec(line) ?? [];
    if (value === undefined) continue;
    const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(
      ([, key, said]) => [key, said] as const,
    );
    figures[series(name, pairs)] = Number(value);
  }
  return figures;
}

/** Of OTLP, with the names that a Collector gives them. */
export function fromOtlp(points: readonly ReceivedPoint[]): Figures {
  const figures: Record<string, number> = {};
  for (const { metric, unit, kind, attributes, value, count, sum, bounds, counts } of points) {
    const name = metric.replaceAll('.', '_') + (unit === 's' ? '_seconds' : '');
    const pairs = Object.entries(attributes).map(
      ([key, said]) => [key.replaceAll('.', '_'), String(said)] as const,
    );
    if (kind !== 'histogram') {
      figures[series(kind === 'sum' ? `${name}_total` : name, pairs)] = value as number;
      continue;
    }
    figures[series(`${name}_count`, pairs)] = count as number;
    figures[series(`${name}_sum`, pairs)] = sum as number;
    let below = 0;
    counts.forEach((each, index) => {
      below += each;
      figures[series(`${name}_bucket`, [...pairs, ['le', String(bounds[index] ?? Infinity)]])] = below;
    });
  }
  return figures;
}

/** Bounds are compared as numbers: JavaScript writes 0.00001, Go 1e-05. */
function series(
  name: string,
  labels: readonly (readonly [string | undefined, string | undefined])[],
): string {
  const shown = labels
    .filter(([key]) => key?.startsWith('otel_scope_') === false)
    .map(([key, value]) => `${key}=${key === 'le' ? Number(value?.replace('+Inf', 'Infinity')) : value}`);
  return `${name}{${shown.sort().join()}}`;
}
