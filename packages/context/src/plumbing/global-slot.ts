/** What is said once where two copies cannot share. */
const INCOMPATIBLE = 'CURFEW_INCOMPATIBLE_COPIES';

/**
 * A record that all installed copies of a package share, made by the first one that asks. Its name is a `Symbol.for`:
 * `@curfew/<package>.<what>.v<N>`, where N changes with the meaning of what is in it.
 *
 * The first copy may be of a build whose record lacks a member that this one needs, under the same N. Neither can mend
 * that: it is said in a warning of the process, and this copy keeps a record of its own. Never throws.
 *
 * @param name Such as `@curfew/http.outgoing`.
 * @param make Makes the record; called in every copy, to know its members. It does nothing else.
 * @example
 * ```ts
 * import { globalSlot } from '@curfew/context/spi';
 * const counts = globalSlot('@my-company/adapter.counts', 1, () => ({ calls: 0 }));
 * counts.calls++;
 * globalSlot('@my-company/adapter.counts', 1, () => ({ calls: 0 })).calls; // => 1
 * ```
 */
export function globalSlot<T extends object>(name: string, version: number, make: () => T): T {
  const slot = Symbol.for(`${name}.v${version}`);
  const own = make();
  const slots = globalThis as { [slot: symbol]: T | undefined };
  const shared = (slots[slot] ??= own);
  const lacking = Object.keys(own).filter((key) => !(key in Object(shared)));
  if (lacking.length === 0) return shared;
  warn(
    `Two copies of ${name.split('.')[0] as string} are loaded that cannot work together: the first lacks ${lacking.join(', ')}`,
  );
  return own;
}

/** Structurally, as the core runs wherever OpenTelemetry's API does. */
function warn(message: string): void {
  const host = globalThis as {
    process?: { emitWarning?(message: string, options: { code: string; detail: string }): void };
  };
  host.process?.emitWarning?.(message, {
    code: INCOMPATIBLE,
    detail: 'Install one version of it: `npm ls` shows who brings the other.',
  });
}
