import { INSTRUMENTS, prometheusLabel, prometheusName } from '@curfew/telemetry';
import { stringify } from 'yaml';

const GENERATED = '# Generated from the telemetry registry by `npm run generate`.\n';

/** A span's service, as the label that metrics have for it. */
const BY_SERVICE = { key: 'service.name', value: 'job' };

/**
 * The data sources, linked both ways: an exemplar leads to its trace, a span to the metrics of its service. `$$` is a
 * dollar sign that provisioning does not take for a variable of its own.
 */
export function datasources(): string {
  const rate = (metric: string, by: string) =>
    `sum by (${by}) (rate(${metric}{$$__tags}[$$__rate_interval]))`;
  const prometheus = {
    name: 'Prometheus',
    uid: 'prometheus',
    type: 'prometheus',
    access: 'proxy',
    url: 'http://prometheus:9090',
    isDefault: true,
    jsonData: {
      httpMethod: 'POST',
      timeInterval: '5s',
      exemplarTraceIdDestinations: [
        { name: 'trace_id', datasourceUid: 'tempo', urlDisplayLabel: 'Trace: $${__value.raw}' },
      ],
    },
  };
  const tempo = {
    name: 'Tempo',
    uid: 'tempo',
    type: 'tempo',
    access: 'proxy',
    url: 'http://tempo:3200',
    jsonData: {
      serviceMap: { datasourceUid: 'prometheus' },
      nodeGraph: { enabled: true },
      tracesToMetrics: {
        datasourceUid: 'prometheus',
        spanStartTimeShift: '-10m',
        spanEndTimeShift: '10m',
        tags: [BY_SERVICE],
        queries: [
          {
            name: 'Contexts ended, by outcome',
            query: rate(prometheusName(INSTRUMENTS.ended), prometheusLabel('curfew.context.outcome')),
          },
          {
            name: 'Cancellations, by origin',
            query: rate(prometheusName(INSTRUMENTS.cancellations), prometheusLabel('curfew.cancel.origin')),
          },
          {
            name: 'Orphans now, by kind',
            query: `sum by (${prometheusLabel('curfew.operation.kind')}) (${prometheusName(INSTRUMENTS.orphansActive)}{$$__tags})`,
          },
        ],
      },
    },
  };
  return (
    GENERATED +
    stringify({ apiVersion: 1, datasources: [prometheus, tempo] }, { lineWidth: 0, singleQuote: true })
  );
}
