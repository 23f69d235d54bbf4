import { prometheusWord } from '@curfew/telemetry';
import { PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import type { DataPoint, IMetricReader, MetricData, ResourceMetrics } from '@opentelemetry/sdk-metrics';

/** Milliseconds: Prometheus itself waits ten seconds for a scrape unless told otherwise. */
const SCRAPE_TIMEOUT = 10_000;

const serializer = new PrometheusSerializer('', false, undefined, false, true);

/** Collects what the reader reads, as the text of a scrape. */
export async function prometheusText(reader: IMetricReader): Promise<string> {
  const { resourceMetrics } = await reader.collect({ timeoutMillis: SCRAPE_TIMEOUT });
  return serializer.serialize(toFamilies(resourceMetrics));
}

/** The scope of Curfew's own families, whose series need no further label. */
const OWN_SCOPE = '@curfew/telemetry';

/**
 * Brings what several instrumentations measured under one name together, as Prometheus asks: a family may have one
 * HELP and one TYPE, and no two series the same labels. `fetch` and `http.request` both measure
 * `http.client.request.duration`; the label `otel_scope_name` tells them apart, and versions stay out of it, since
 * an upgrade would begin new series.
 */
export function toFamilies(metrics: ResourceMetrics): ResourceMetrics {
  const families = new Map<string, MetricData>();
  for (const { scope, metrics: measured } of metrics.scopeMetrics) {
    for (const metric of measured) {
      const name = prometheusWord(metric.descriptor.name);
      const dataPoints =
        scope.name === OWN_SCOPE ? [...metric.dataPoints] : labelled(metric.dataPoints, scope.name);
      const family = families.get(name);
      if (family === undefined) families.set(name, { ...metric, dataPoints } as MetricData);
      // One name cannot be of two types: the first stays, as in the exporters of other languages.
      else if (family.dataPointType === metric.dataPointType)
        (family.dataPoints as unknown[]).push(...dataPoints);
    }
  }
  return {
    resource: metrics.resource,
    scopeMetrics: [{ scope: { name: '' }, metrics: [...families.values()] }],
  };
}

function labelled(points: readonly DataPoint<unknown>[], scope: string): DataPoint<unknown>[] {
  return points.map((point) => ({ ...point, attributes: labels(point.attributes, scope) }));
}

/** Attributes whose names become one label are joined, as OpenTelemetry's specification has it: twice is no label. */
function labels(attributes: DataPoint<unknown>['attributes'], scope: string): Record<string, string> {
  const found: Record<string, string> = { otel_scope_name: scope };
  for (const key of Object.keys(attributes).sort()) {
    const label = prometheusWord(key);
    const value = String(attributes[key]);
    const former = label === 'otel_scope_name' ? undefined : found[label];
    found[label] = former === undefined ? value : `${former};${value}`;
  }
  return found;
}
