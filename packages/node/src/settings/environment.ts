import { otlpName, OTLP_SETTINGS, type Signal } from './otlp-settings';
import type { Setting } from './kinds';
import { SETTINGS, type OtlpValues, type Settings } from './settings';

/** The environment as Node.js has it. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** What was read, and one line for each variable that could not be. */
export interface ReadEnvironment {
  readonly settings: Settings;
  readonly warnings: readonly string[];
}

/**
 * Reads every setting. Never throws: a bad value is told in one line and its default used, since telemetry is a
 * guest. An empty variable is an unset one, as OpenTelemetry's specification has it.
 */
export function readEnvironment(env: Environment): ReadEnvironment {
  const warnings: string[] = [];

  function read(setting: Setting<unknown>, name: string, fallback: unknown): unknown {
    const given = env[name]?.trim();
    if (given === undefined || given === '') return fallback;
    const value = setting.kind.parse(given);
    if (value !== undefined) return value;
    const shown = setting.secret === true ? 'its value (not shown)' : `"${given}"`;
    warnings.push(
      `${name}: ${shown} is not valid, expected ${setting.kind.expects}; using ${display(fallback, setting)}`,
    );
    return fallback;
  }

  function readOtlp(signal: Signal): OtlpValues {
    const values: Record<string, unknown> = {};
    for (const [key, setting] of Object.entries<Setting<unknown>>(OTLP_SETTINGS)) {
      const shared = common[key];
      const own = read(setting, otlpName(setting, signal), shared);
      // Headers are the one setting where the pairs of both count.
      values[key] = key === 'headers' ? { ...(shared as object), ...(own as object) } : own;
    }
    return { ...values, exact: values['endpoint'] !== common['endpoint'] } as OtlpValues;
  }

  const once = Object.entries<Setting<unknown>>(SETTINGS).map(([key, setting]) => [
    key,
    read(setting, setting.env, setting.fallback),
  ]);
  // The variables of both signals are read once, so that a bad one is told once.
  const common = Object.fromEntries(
    Object.entries<Setting<unknown>>(OTLP_SETTINGS).map(([key, setting]) => [
      key,
      read(setting, otlpName(setting), setting.fallback),
    ]),
  ) as Record<string, unknown>;
  const settings = {
    ...Object.fromEntries(once),
    otlp: { traces: readOtlp('traces'), metrics: readOtlp('metrics') },
  } as Settings;
  return { settings, warnings };
}

/** A fallback as warnings and the table show it. */
export function display(fallback: unknown, setting: Setting<unknown>): string {
  if (setting.secret === true && fallback !== setting.fallback) return 'those of both signals';
  if (fallback instanceof URL) return fallback.href;
  if (fallback === undefined || (typeof fallback === 'object' && setting.shown !== undefined))
    return setting.shown ?? 'none';
  return Array.isArray(fallback) ? fallback.join(',') : String(fallback);
}
