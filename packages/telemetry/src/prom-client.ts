import { diag } from '@opentelemetry/api';
import type { Family } from './exits/collect';
import { installed, type Telemetry } from './install';
import { createPromFamily, type PromFamily } from './exits/prom-family';
import { INSTRUMENTS, type InstrumentId } from './registry/instruments';

/** A `Registry` of prom-client 15, of either content type, by its shape. */
export interface PromClientRegistry {
  readonly contentType: string;
  registerMetric(metric: object): void;
  getSingleMetric(name: string): unknown;
  removeSingleMetric(name: string): void;
}

export interface RegisterOptions {
  /** Whose figures; those of the `install()` of this process unless given. */
  readonly telemetry?: Pick<Telemetry, 'families' | 'keepExemplars'>;
}

interface Registration {
  readonly telemetry: object;
  /** Whether any of its families is still in the registry, which can also be cleared by other means. */
  isThere(): boolean;
  readonly unregister: () => void;
}

const registrations = new WeakMap<PromClientRegistry, Registration>();

/**
 * Adds all of Curfew's families to your own prom-client registry, beside your own metrics; those without a figure
 * yet too. Names, labels and figures are those of OpenTelemetry's Prometheus exporter: scrape one of the two.
 * Durations are in seconds. Each scrape is of one moment, so that its sums agree.
 *
 * A registry of OpenMetrics shows exemplars: the trace of one measurement in each bucket. They are kept from this
 * call on. In a cluster, `AggregatorRegistry` adds the workers up; the age of the oldest context and the start time
 * are the largest of any worker. `registry.resetMetrics()` leaves these families alone.
 *
 * A second call for the same registry and telemetry changes nothing, warns, and returns the first one's
 * `unregister`.
 *
 * @returns `unregister`, which takes the families out of the registry; once is enough.
 * @throws TypeError naming the argument that is wrong.
 * @throws Error if telemetry is not installed, or naming the family that the registry has already, of somebody else
 * or of an earlier telemetry; the registry is left as it was.
 * @example
 * ```ts
 * import { Registry } from 'prom-client';
 * import { background, withCancel } from '@curfew/context';
 * import { install } from '@curfew/telemetry';
 * import { register } from '@curfew/telemetry/prom-client';
 * const telemetry = install();
 * const registry = new Registry();
 * const unregister = register(registry);
 * withCancel(background(), { name: 'search' })[1](new Error('user left'));
 * const text = await registry.metrics();
 * /^curfew_context_ended_total.*="search".* 1$/m.test(text); // => true
 * unregister();
 * telemetry.uninstall();
 * ```
 */
export function register(registry: PromClientRegistry, options: RegisterOptions = {}): () => void {
  checkRegistry(registry);
  const telemetry = telemetryOf(options);
  const former = registrations.get(registry);
  if (former?.telemetry === telemetry && former.isThere()) {
    diag.warn('@curfew/telemetry/prom-client: this registry has the families already.');
    return former.unregister;
  }
  const isOpenMetrics = () => /^application\/openmetrics-text/.test(registry.contentType);
  const scrape = createScrape(telemetry, isOpenMetrics);
  const ids = Object.keys(INSTRUMENTS) as InstrumentId[];
  const families = ids.map((id) =>
    createPromFamily(id, {
      points: () => scrape(id).get(INSTRUMENTS[id].name) ?? [],
      isOpenMetrics,
    }),
  );
  const taken = families.find(({ name }) => registry.getSingleMetric(name) !== undefined);
  if (taken !== undefined) {
    throw new Error(
      `The registry has a metric ${taken.name} already, of somebody else or of an earlier telemetry: ` +
        'remove it first. Nothing was registered.',
    );
  }
  if (isOpenMetrics()) telemetry.keepExemplars();
  for (const family of families) registry.registerMetric(family);

  const isOurs = (family: PromFamily) => registry.getSingleMetric(family.name) === family;
  const unregister = () => {
    for (const family of families.filter(isOurs)) registry.removeSingleMetric(family.name);
  };
  registrations.set(registry, { telemetry, isThere: () => families.some(isOurs), unregister });
  return unregister;
}

type Points = ReadonlyMap<string, Family['points']>;

/**
 * Reads the figures once a scrape. A registry asks all of its metrics in one turn, in whatever order: the family that
 * finds nothing read, or that asks a second time, opens a scrape, and what was read is let go when the turn is over.
 */
function createScrape(
  telemetry: Pick<Telemetry, 'families' | 'keepExemplars'>,
  isOpenMetrics: () => boolean,
): (family: InstrumentId) => Points {
  let current: Points | undefined;
  const asked = new Set<InstrumentId>();
  return (family) => {
    if (current === undefined || asked.has(family)) {
      asked.clear();
      // The content type can be changed after registration.
      if (isOpenMetrics()) telemetry.keepExemplars();
      current = new Map(telemetry.families().map(({ instrument, points }) => [instrument.name, points]));
      queueMicrotask(() => (current = undefined));
    }
    asked.add(family);
    return current;
  };
}

function checkRegistry(registry: unknown): void {
  const methods = ['registerMetric', 'getSingleMetric', 'removeSingleMetric'] as const;
  const given = (registry ?? {}) as Record<string, unknown>;
  const missing = methods.find((method) => typeof given[method] !== 'function');
  if (missing === undefined) return;
  throw new TypeError(
    `registry must be a Registry of prom-client, got ${nameOf(registry)} without ${missing}()`,
  );
}

function telemetryOf(options: RegisterOptions): Pick<Telemetry, 'families' | 'keepExemplars'> {
  if (typeof options !== 'object' || options === null) {
    throw new TypeError(`options must be an object such as { telemetry }, got ${nameOf(options)}`);
  }
  const telemetry = options.telemetry === undefined ? installed() : options.telemetry;
  if (telemetry === undefined) {
    throw new Error('Telemetry is not installed: call install() of @curfew/telemetry before register().');
  }
  const { families, keepExemplars } = (telemetry ?? {}) as Partial<Telemetry>;
  if (typeof families !== 'function' || typeof keepExemplars !== 'function') {
    throw new TypeError(`options.telemetry must be what install() returns, got ${nameOf(telemetry)}`);
  }
  return telemetry;
}

function nameOf(value: unknown): string {
  return value === null ? 'null' : typeof value;
}
