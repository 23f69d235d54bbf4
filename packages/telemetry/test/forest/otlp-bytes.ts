/** A metric of an OTLP export, read from the bytes of its protobuf. */
export interface OtlpMetric {
  readonly name: string;
  readonly unit: string;
  readonly kind: 'gauge' | 'sum' | 'histogram';
  /** 1 delta, 2 cumulative. */
  readonly temporality: number;
  readonly monotonic: boolean;
  readonly points: readonly OtlpPoint[];
}

export interface OtlpPoint {
  readonly attributes: Readonly<Record<string, string>>;
  readonly value: number;
  readonly count: number;
  readonly sum: number;
  readonly buckets: readonly number[];
  readonly bounds: readonly number[];
}

/**
 * Reads an ExportMetricsServiceRequest by the field numbers of opentelemetry-proto: written down anew, since a decoder
 * that comes with the encoder would share its mistakes.
 */
export function readMetrics(bytes: Uint8Array): OtlpMetric[] {
  const resources = messages(fieldsOf(bytes), 1);
  const scopes = resources.flatMap((resource) => messages(resource, 2));
  return scopes.flatMap((scope) => messages(scope, 2)).map(readMetric);
}

function readMetric(metric: Fields): OtlpMetric {
  const kind = metric.has(9) ? 'histogram' : metric.has(7) ? 'sum' : 'gauge';
  const data = messages(metric, { gauge: 5, sum: 7, histogram: 9 }[kind])[0] as Fields;
  return {
    name: text(metric, 1),
    unit: text(metric, 3),
    kind,
    temporality: varint(data, 2),
    monotonic: varint(data, 3) === 1,
    points: messages(data, 1).map((point) =>
      kind === 'histogram' ? readHistogram(point) : readNumber(point),
    ),
  };
}

function readNumber(point: Fields): OtlpPoint {
  const value = point.has(4) ? double(point, 4) : fixed(point, 6);
  return { attributes: attributes(point, 7), value, count: 0, sum: 0, buckets: [], bounds: [] };
}

function readHistogram(point: Fields): OtlpPoint {
  return {
    attributes: attributes(point, 9),
    value: 0,
    count: fixed(point, 4),
    sum: double(point, 5),
    buckets: packed(point, 6, (view, at) => Number(view.getBigUint64(at, true))),
    bounds: packed(point, 7, (view, at) => view.getFloat64(at, true)),
  };
}

function attributes(point: Fields, field: number): Record<string, string> {
  return Object.fromEntries(
    messages(point, field).map((pair) => [text(pair, 1), text(messages(pair, 2)[0] as Fields, 1)]),
  );
}

/** The values of a message by field number: a number for a varint, bytes for the rest. */
type Fields = ReadonlyMap<number, readonly (number | Uint8Array)[]>;

function fieldsOf(bytes: Uint8Array): Fields {
  const fields = new Map<number, (number | Uint8Array)[]>();
  let at = 0;
  const readVarint = () => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = bytes[at++] as number;
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = readVarint();
    const [field, wire] = [Math.floor(tag / 8), tag % 8];
    let value: number | Uint8Array;
    if (wire === 0) value = readVarint();
    else {
      const length = wire === 1 ? 8 : wire === 2 ? readVarint() : NaN;
      if (Number.isNaN(length)) throw new Error(`wire type ${wire} of field ${field} is not one of OTLP's`);
      value = bytes.subarray(at, at + length);
      at += length;
    }
    const values = fields.get(field);
    if (values === undefined) fields.set(field, [value]);
    else values.push(value);
  }
  return fields;
}

const bytesOf = (fields: Fields, field: number) => (fields.get(field) ?? []) as readonly Uint8Array[];
const messages = (fields: Fields, field: number) => bytesOf(fields, field).map(fieldsOf);
const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const varint = (fields: Fields, field: number) => (fields.get(field)?.[0] ?? 0) as number;

function text(fields: Fields, field: number): string {
  return Buffer.from(bytesOf(fields, field)[0] ?? []).toString('utf8');
}

function double(fields: Fields, field: number): number {
  const bytes = bytesOf(fields, field)[0];
  return bytes === undefined ? 0 : viewOf(bytes).getFloat64(0, true);
}

function fixed(fields: Fields, field: number): number {
  const bytes = bytesOf(fields, field)[0];
  return bytes === undefined ? 0 : Number(viewOf(bytes).getBigInt64(0, true));
}

function packed(fields: Fields, field: number, read: (view: DataView, at: number) => number): number[] {
  return bytesOf(fields, field).flatMap((bytes) => {
    const view = viewOf(bytes);
    return Array.from({ length: bytes.byteLength / 8 }, (_, index) => read(view, index * 8));
  });
}
