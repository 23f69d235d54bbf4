import { TELEMETRY_OPTIONS, type OptionDeclaration, type TelemetryOptions } from '@curfew/telemetry/options';
import { flag, numberFrom, oneOf, type Kind, type Setting } from './kinds';

/** Those of telemetry's options that a text can say. */
export type TelemetryValues = Required<Omit<TelemetryOptions, 'loggerProvider'>>;

/** What telemetry declares is declared nowhere else: `orphanGrace` is read from `CURFEW_ORPHAN_GRACE`. */
export const TELEMETRY_SETTINGS = Object.fromEntries(
  Object.entries<OptionDeclaration>(TELEMETRY_OPTIONS).flatMap(([name, declared]) =>
    declared.kind === 'object' ? [] : [[name, settingOf(name, declared)]],
  ),
) as { readonly [K in keyof TelemetryValues]: Setting<TelemetryValues[K]> };

function settingOf(
  name: string,
  declared: Exclude<OptionDeclaration, { readonly kind: 'object' }>,
): Setting<unknown> {
  const env = `CURFEW_${name.replace(/[A-Z]/g, '_$&').toUpperCase()}`;
  return { env, kind: kindOf(declared), fallback: declared.fallback, help: declared.help };
}

function kindOf(declared: Exclude<OptionDeclaration, { readonly kind: 'object' }>): Kind<unknown> {
  switch (declared.kind) {
    case 'number':
      return numberFrom(declared);
    case 'flag':
      return flag;
    case 'choice':
      return oneOf(declared.values);
  }
}
