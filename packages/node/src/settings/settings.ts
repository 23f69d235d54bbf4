import { OTEL_SETTINGS } from './otel-settings';
import type { OTLP_SETTINGS, Signal } from './otlp-settings';
import { START_SETTINGS } from './start-settings';
import type { Values } from './kinds';
import { TELEMETRY_SETTINGS, type TelemetryValues } from './telemetry-settings';

// Why this is ours. OpenTelemetry's own parts read some of these: limits, batches, the sampler. Two limits they know by
// names that its specification does not have, `-1` and `0x10` are numbers to them, `ALWAYS_OFF` is no sampler, and of what
// they cannot read they say much, nothing, or what nobody can act on. All others would be read by `@opentelemetry/sdk-node`,
// which brings every exporter along. Here each is declared once, with its kind, default and words: the reader, its
// warnings, the options of `start`, their checks and the table in the README are derived.

/** What is read once. */
export const SETTINGS = { ...START_SETTINGS, ...TELEMETRY_SETTINGS, ...OTEL_SETTINGS };

export type OtlpValues = Values<typeof OTLP_SETTINGS> & {
  /** `true` where the endpoint is that of this signal, to be used as it is. */
  readonly exact: boolean;
};

/** Everything that the environment says. */
export interface Settings
  extends Values<typeof START_SETTINGS>, TelemetryValues, Values<typeof OTEL_SETTINGS> {
  readonly otlp: Readonly<Record<Signal, OtlpValues>>;
}
