export {
  ATTRIBUTES,
  EVENTS,
  INSTRUMENTS,
  OTHER,
  prometheusLabel,
  prometheusName,
  SPAN_ATTRIBUTES,
  SPANS,
  UNNAMED,
  WARNING_ATTRIBUTES,
  withUnit,
  type AttributeKey,
  type Domain,
  type Instrument,
  type InstrumentId,
} from './registry/registry';
export type { Exemplar, Family, HistogramPoint, NumberPoint, Snapshot } from './exits/collect';
export { install, installed, type Telemetry } from './install';
export {
  checkTelemetryOptions,
  TELEMETRY_OPTIONS,
  type OptionDeclaration,
  type TelemetryOptions,
  type TelemetrySettings,
} from './options';
export type { CurfewSpanProcessor } from './recording/processor';
export type { CurfewMetricProducer, ProducerOptions } from './exits/producer';
export type { LoggerProviderLike } from './log-emitter';
