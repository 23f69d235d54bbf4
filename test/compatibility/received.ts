import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

type Values = Readonly<Record<string, unknown>>;

/** A span as it came over the wire. */
export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly name: string;
  readonly kind: 'INTERNAL' | 'SERVER' | 'CLIENT';
  readonly status: 'UNSET' | 'OK' | 'ERROR';
  readonly message: string | undefined;
  readonly attributes: Values;
  readonly events: readonly { readonly name: string; readonly attributes: Values }[];
}

/** A point of a metric as it came over the wire. */
export interface ReceivedPoint {
  readonly metric: string;
  readonly unit: string;
  readonly kind: 'sum' | 'gauge' | 'histogram';
  readonly attributes: Values;
  /** 1 delta, 2 cumulative; none for a gauge. */
  readonly temporality: number | undefined;
  readonly value: number | undefined;
  readonly count: number | undefined;
  readonly sum: number | undefined;
  readonly bounds: readonly number[];
  readonly counts: readonly number[];
}

/** A Collector in miniature: takes OTLP as JSON over HTTP and keeps what it got. */
export interface Receiver {
  readonly url: string;
  readonly spans: readonly ReceivedSpan[];
  /** By export, in the order of arrival. */
  readonly metrics: readonly (readonly ReceivedPoint[])[];
  close(): Promise<void>;
}

export async function startReceiver(): Promise<Receiver> {
  const spans: ReceivedSpan[] = [];
  const metrics: ReceivedPoint[][] = [];
  const server = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8');
    request.on('data', (chunk: string) => (text += chunk));
    request.on('end', () => {
      if (request.url === '/v1/traces') spans.push(...spansOf(JSON.parse(text)));
      if (request.url === '/v1/metrics') metrics.push(pointsOf(JSON.parse(text)));
      response.setHeader('content-type', 'application/json').end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    metrics,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const KINDS = ['UNSPECIFIED', 'INTERNAL', 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER'];
const STATUSES = ['UNSET', 'OK', 'ERROR'];

function spansOf(body: any): ReceivedSpan[] {
  return scoped(body.resourceSpans, 'scopeSpans', 'spans').map((span) => ({
    traceId: span.traceId,
    spanId: span.spanId,
    parentSpanId: span.parentSpanId ?? '',
    name: span.name,
    kind: KINDS[span.kind] as ReceivedSpan['kind'],
    status: STATUSES[span.status?.code ?? 0] as ReceivedSpan['status'],
    message: span.status?.message || undefined,
    attributes: attributesOf(span.attributes),
    events: (span.events ?? []).map((event: any) => ({
      name: event.name,
      attributes: attributesOf(event.attributes),
    })),
  }));
}

function pointsOf(body: any): ReceivedPoint[] {
  return scoped(body.resourceMetrics, 'scopeMetrics', 'metrics').flatMap((metric) => {
    const kind = (['sum', 'gauge', 'histogram'] as const).find((each) => metric[each] !== undefined);
    if (kind === undefined) throw new Error(`${metric.name} is no sum, gauge or histogram`);
    const { dataPoints, aggregationTemporality } = metric[kind];
    return dataPoints.map((point: any) => ({
      metric: metric.name,
      unit: metric.unit ?? '',
      kind,
      attributes: attributesOf(point.attributes),
      temporality: aggregationTemporality,
      value: numberOf(point.asDouble ?? point.asInt),
      count: numberOf(point.count),
      sum: numberOf(point.sum),
      bounds: point.explicitBounds ?? [],
      counts: (point.bucketCounts ?? []).map(Number),
    }));
  });
}

function scoped(resources: any[], scopes: string, items: string): any[] {
  return resources.flatMap((resource) => resource[scopes].flatMap((scope: any) => scope[items]));
}

function attributesOf(list: any[] = []): Values {
  return Object.fromEntries(list.map(({ key, value }) => [key, plain(value)]));
}

/** 64-bit integers are strings in OTLP's JSON. */
function plain(value: any): unknown {
  if (value.intValue !== undefined) return Number(value.intValue);
  return Object.values(value as object)[0];
}

function numberOf(value: unknown): number | undefined {
  return value === undefined ? undefined : Number(value);
}
