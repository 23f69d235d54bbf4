export { ATTRIBUTES, OTHER, UNNAMED, type AttributeKey, type Domain } from './registry/attributes';
export { INSTRUMENTS, type Instrument, type InstrumentId } from './registry/instruments';
export { prometheusLabel, prometheusName, prometheusWord, withUnit } from './registry/prometheus-names';
export { EVENTS, SPAN_ATTRIBUTES, SPANS, WARNING_ATTRIBUTES } from './registry/span-names';
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
