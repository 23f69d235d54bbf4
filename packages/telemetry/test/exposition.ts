import type { Telemetry } from '@curfew/telemetry';
import { PrometheusExporter, PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';

/** Every sample of a real exporter's text, by its name and sorted labels: what a scrape would bring. */
export type Samples = ReadonlyMap<string, number>;

/** Reads all families through OpenTelemetry's own Prometheus exporter, as a scrape would. */
export async function scrape(telemetry: Telemetry): Promise<Samples> {
  const reader = new PrometheusExporter({
    preventServerStart: true,
    metricProducers: [telemetry.producer({ dialect: 'prometheus' })],
  });
  const provider = new MeterProvider({ readers: [reader] });
  const { resourceMetrics, errors } = await reader.collect();
  if (errors.length > 0) throw errors[0];
  const text = new PrometheusSerializer('', false, undefined, true, true).serialize(resourceMetrics);
  await provider.shutdown();
  return parse(text);
}

function parse(text: string): Samples {
  const samples = new Map<string, number>();
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (match === null) throw new Error(`not a sample: ${line}`);
    const labels = [...(match[2] ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)]
      .map(([whole]) => whole)
      .sort();
    const key = `${match[1]}{${labels.join(',')}}`;
    if (samples.has(key)) throw new Error(`twice: ${key}`);
    samples.set(key, match[3] === '+Inf' ? Infinity : Number(match[3]));
  }
  return samples;
}

/** The sum of all samples of a name whose labels hold every text given. */
export function total(samples: Samples, name: string, ...labels: string[]): number {
  let sum = 0;
  for (const [key, value] of samples) {
    if (key.startsWith(`${name}{`) && labels.every((label) => key.includes(label))) sum += value;
  }
  return sum;
}
