import { readFileSync } from 'node:fs';
import { context, diag, ROOT_CONTEXT } from '@opentelemetry/api';
import { ExportResultCode, suppressTracing, type ExportResult } from '@opentelemetry/core';
import {
  JsonMetricsSerializer,
  JsonTraceSerializer,
  ProtobufMetricsSerializer,
  ProtobufTraceSerializer,
  type ISerializer,
} from '@opentelemetry/otlp-transformer';
import { AggregationTemporality, InstrumentType, type PushMetricExporter } from '@opentelemetry/sdk-metrics';
import type { SpanExporter } from '@opentelemetry/sdk-trace-node';
import { outsideRequests } from './outside-requests';
import { warn } from '../logging';
import { createTransport, type Destination, type Transport } from './otlp-transport';
import { otlpName, OTLP_SETTINGS, type Signal } from '../settings/otlp-settings';
import type { OtlpValues, Settings } from '../settings/settings';

export { createSpanBatches } from './span-batches';

// Why this is ours. OpenTelemetry's `createOtlpNetworkExportDelegate` would take our transport and count, serialize and
// read the answer: some thirty lines here for ten that adapt to it. But it tells an export as done when it is, and until
// then the SDK's batches and readers hold a timer that keeps a finished process for as long as an export may take, thirty
// seconds; so what tells it at once, outside of the caller's request, and says a failure in one line would stay around
// it. A serializer that throws would throw through it, into a stack on stderr. And it is one more package of the
// experimental line, twelve files and seven milliseconds of every start that exports.

/** An exporter, and how to give up what it has on its way. */
export interface Otlp<E> {
  readonly exporter: E;
  readonly transport: Transport;
}

/** Exports spans over OTLP/HTTP. */
export function createOtlpTraces({ otlp, spanTimeout, spanQueue, spanBatch }: Settings): Otlp<SpanExporter> {
  return createOtlp({
    signal: 'traces',
    values: otlp.traces,
    serializer: otlp.traces.protocol === 'http/json' ? JsonTraceSerializer : ProtobufTraceSerializer,
    timeout: Math.min(otlp.traces.timeout, spanTimeout),
    // What is on its way counts as queued, so that a slow Collector cannot make a service hold more than it was told.
    most: Math.max(1, Math.floor(spanQueue / spanBatch)),
  });
}

/** Exports metrics over OTLP/HTTP. */
export function createOtlpMetrics(settings: Settings): Otlp<PushMetricExporter> {
  const { otlp, metricTimeout, metricInterval, temporality } = settings;
  const timeout = Math.min(otlp.metrics.timeout, metricTimeout);
  const { exporter, transport } = createOtlp({
    signal: 'metrics',
    values: otlp.metrics,
    serializer: otlp.metrics.protocol === 'http/json' ? JsonMetricsSerializer : ProtobufMetricsSerializer,
    timeout,
    // As many as can be on their way within the timeout, and those of a flush and of the shutdown: a delta that is
    // dropped is gone, since the reader has begun the next one.
    most: Math.ceil(timeout / metricInterval) + 2,
  });
  const selectAggregationTemporality = (type: InstrumentType) => temporalityOf(type, temporality);
  return { exporter: { ...exporter, selectAggregationTemporality }, transport };
}

interface Exporter<T> {
  export(items: T, done: (result: ExportResult) => void): void;
  forceFlush(): Promise<void>;
  shutdown(): Promise<void>;
}

interface PartialAnswer {
  readonly partialSuccess?: { readonly errorMessage?: string } | undefined;
}

interface OtlpOptions<T> {
  readonly signal: Signal;
  readonly values: OtlpValues;
  readonly serializer: ISerializer<T, PartialAnswer>;
  /** Milliseconds for one export, retries included. */
  readonly timeout: number;
  /** Exports on their way at the same time; more are dropped. */
  readonly most: number;
}

function createOtlp<T>({ signal, values, serializer, timeout, most }: OtlpOptions<T>): Otlp<Exporter<T>> {
  const destination = { ...destinationOf(signal, values), timeout };
  const transport = createTransport(destination);
  const tell = createReporter(`${signal} do not reach ${destination.url.origin}${destination.url.pathname}`);
  let onTheirWay = 0;

  async function send(items: T): Promise<void> {
    if (onTheirWay >= most) {
      tell('it answers too slowly');
      return;
    }
    onTheirWay++;
    try {
      const body = serializer.serializeRequest(items);
      if (body === undefined) return;
      const answer = await transport.send(body);
      tell(undefined);
      refused(answer);
    } catch (error) {
      tell((error as Error).message);
    } finally {
      onTheirWay--;
    }
  }

  function refused(answer: Uint8Array): void {
    if (answer.byteLength === 0) return;
    try {
      const message = serializer.deserializeResponse(answer).partialSuccess?.errorMessage;
      if (message !== undefined && message !== '')
        diag.warn(`curfew: the Collector refused some ${signal}: ${message}`);
    } catch {
      diag.debug(`curfew: the answer to an export of ${signal} is not OTLP`);
    }
  }

  const exporter: Exporter<T> = {
    export(items, done) {
      // Whoever's request filled the batch, its end must not cancel the export, nor a connection to the Collector hold it.
      outsideRequests(() => context.with(suppressTracing(ROOT_CONTEXT), () => void send(items)));
      // Told as done at once: until then the SDK holds a timer that keeps the process alive, and of a failure it
      // would log the stack, batch after batch. `send` bounds what is on its way and tells what fails. Nothing more is
      // lost by it: of what has failed the SDK keeps neither the spans nor the deltas.
      done({ code: ExportResultCode.SUCCESS });
    },
    forceFlush: () => transport.settled(),
    shutdown: () => transport.settled(),
  };
  return { exporter, transport };
}

/** One line when something begins to fail and one when it works again, however often it is tried between. */
function createReporter(what: string): (failure: string | undefined) => void {
  let failing = false;
  return (failure) => {
    if (failure !== undefined && !failing)
      warn(`${what} (${failure}); the service goes on, and they are dropped until then`);
    if (failure === undefined && failing) diag.info(`curfew: no longer so: ${what}`);
    failing = failure !== undefined;
  };
}

function destinationOf(signal: Signal, values: OtlpValues): Omit<Destination, 'timeout'> {
  const { headers, compression, protocol } = values;
  const contentType = protocol === 'http/json' ? 'application/json' : 'application/x-protobuf';
  return {
    url: addressOf(signal, values),
    headers: { 'user-agent': 'curfew-node', ...headers, 'content-type': contentType },
    compression,
    tls: {
      ...fileOf('ca', signal, 'certificate', values),
      ...fileOf('cert', signal, 'clientCertificate', values),
      ...fileOf('key', signal, 'clientKey', values),
    },
  };
}

/** As OTLP's specification has it: an address for both signals gets the path of each, one of its own stays. */
function addressOf(signal: Signal, { endpoint, exact }: OtlpValues): URL {
  const url = new URL(endpoint ?? 'http://localhost:4318');
  if (!exact) url.pathname = `${url.pathname.replace(/\/$/, '')}/v1/${signal}`;
  return url;
}

function fileOf<const K extends string>(
  option: K,
  signal: Signal,
  setting: 'certificate' | 'clientCertificate' | 'clientKey',
  values: OtlpValues,
): { readonly [P in K]?: Buffer } {
  const path = values[setting];
  if (path === undefined) return {};
  try {
    return { [option]: readFileSync(path) } as { [P in K]: Buffer };
  } catch (error) {
    const name = otlpName(OTLP_SETTINGS[setting]);
    warn(
      `${name} (or that of ${signal}): "${path}" cannot be read (${(error as { code?: string }).code}); going on without it`,
    );
    return {};
  }
}

function temporalityOf(type: InstrumentType, preference: Settings['temporality']): AggregationTemporality {
  const upDown =
    type === InstrumentType.UP_DOWN_COUNTER || type === InstrumentType.OBSERVABLE_UP_DOWN_COUNTER;
  const memoryFree = type === InstrumentType.COUNTER || type === InstrumentType.HISTOGRAM;
  const delta = preference === 'delta' ? !upDown : preference === 'lowmemory' && memoryFree;
  return delta ? AggregationTemporality.DELTA : AggregationTemporality.CUMULATIVE;
}
