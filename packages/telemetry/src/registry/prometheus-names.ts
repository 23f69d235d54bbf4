import type { AttributeKey } from './attributes';
import type { Instrument } from './instruments';

/** A name or a label as every Prometheus takes it; underscores in a row are one, as OpenTelemetry's exporter has it. */
export function prometheusWord(text: string): string {
  return text.replace(/[^A-Za-z0-9_]/g, '_').replace(/_{2,}/g, '_');
}

/**
 * The name of an instrument in Prometheus: that of every scrape, whether through OpenTelemetry's exporter,
 * prom-client or a Collector. A histogram's series add `_bucket`, `_sum` and `_count`.
 */
export function prometheusName(instrument: Instrument): string {
  const base = prometheusWord(withUnit(instrument));
  return instrument.kind === 'counter' ? `${base}_total` : base;
}

/** The instrument's name with its unit as the last word, where the unit is seconds. */
export function withUnit(instrument: Instrument): string {
  return instrument.unit === 's' ? `${instrument.name}.seconds` : instrument.name;
}

/** The label that an attribute becomes in Prometheus. */
export function prometheusLabel(attribute: AttributeKey): string {
  return prometheusWord(attribute);
}
