import { delay, httpUrl, oneOf, pairs, text, optional, setting, type Setting } from './kinds';

const NO_GRPC =
  ' (grpc is not supported: leave this unset and give the address of the HTTP port, 4318 on a Collector)';

/**
 * What OTLP reads for traces and metrics together, and for each alone: `OTEL_EXPORTER_OTLP_<env>`, and
 * `OTEL_EXPORTER_OTLP_TRACES_<env>` or `…_METRICS_<env>`, which comes first.
 */
export const OTLP_SETTINGS = {
  endpoint: optional(
    'ENDPOINT',
    httpUrl,
    'Where OTLP goes; setting it turns export on. `v1/traces` and `v1/metrics` are added, but not to the address of one signal.',
    'none; `http://localhost:4318` where `otlp` is asked for',
  ),
  protocol: setting(
    'PROTOCOL',
    oneOf(['http/protobuf', 'http/json'], NO_GRPC),
    'http/protobuf',
    '`http/protobuf` or `http/json`. gRPC is not supported.',
  ),
  headers: {
    ...setting(
      'HEADERS',
      pairs,
      {},
      'Sent with every export: `authorization=Bearer%20…`. The pairs of both are sent.',
      'none',
    ),
    secret: true,
  },
  timeout: setting('TIMEOUT', delay, 10_000, 'How long one export may take, retries included.'),
  compression: setting('COMPRESSION', oneOf(['none', 'gzip']), 'none', '`gzip` or `none`.'),
  certificate: optional('CERTIFICATE', text, 'A PEM file with the authority to trust.', "Node's own"),
  clientCertificate: optional(
    'CLIENT_CERTIFICATE',
    text,
    "A PEM file with the client's certificate.",
    'none',
  ),
  clientKey: optional('CLIENT_KEY', text, "A PEM file with the client's key.", 'none'),
} as const;

export type Signal = 'traces' | 'metrics';

/** The variable of an OTLP setting, for both signals or for one. */
export function otlpName(setting: Setting<unknown>, signal?: Signal): string {
  return `OTEL_EXPORTER_OTLP_${signal === undefined ? '' : `${signal.toUpperCase()}_`}${setting.env}`;
}
