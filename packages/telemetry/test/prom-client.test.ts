import { background, run, track, withCancel, withTimeout, type CancelContext } from '@curfew/context';
import { hooks } from '@curfew/context/spi';
import { install, INSTRUMENTS, prometheusName, type Instrument, type Telemetry } from '@curfew/telemetry';
import { register, type PromClientRegistry } from '@curfew/telemetry/prom-client';
import { DiagLogLevel, diag, type DiagLogger } from '@opentelemetry/api';
import {
  AggregatorRegistry,
  Counter,
  Gauge,
  Registry,
  register as globalRegistry,
  type OpenMetricsContentType,
} from 'prom-client';
import { useManualClock, type ManualClock } from '../../../test/manual-clock';
import { scrape, total } from './exposition';
import { labelValues, parsePromText } from './prom-client-text';
import { backendCancel, deadlineReceived } from './adapters';

let clock: ManualClock;
let restore: () => void;
let telemetry: Telemetry;
const warnings: string[] = [];
beforeEach(() => {
  ({ clock, restore } = useManualClock());
  telemetry = install({ durationByName: true, cleanups: true });
  const silent = { error() {}, info() {}, debug() {}, verbose() {} };
  const logger: DiagLogger = { ...silent, warn: (message) => void warnings.push(message) };
  diag.setLogger(logger, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true });
});
afterEach(() => {
  diag.disable();
  warnings.length = 0;
  telemetry.uninstall();
  globalRegistry.clear();
  restore();
});

const INSTRUMENT_LIST: readonly Instrument[] = Object.values(INSTRUMENTS);
const NAMES = INSTRUMENT_LIST.map(prometheusName);

function openMetrics(): Registry<OpenMetricsContentType> {
  const registry = new Registry<OpenMetricsContentType>();
  registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
  return registry;
}
const formats = [
  ['plain', () => new Registry()],
  ['openmetrics', openMetrics],
] as const;

/** Lives and ends of every sort, and all that adapters tell; the same at each run. */
async function work(): Promise<void> {
  let state = 7;
  const random = (below: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return Math.floor((state / 0x80000000) * below);
  };
  const contexts: CancelContext[] = [];
  for (let step = 0; step < 2000; step++) {
    const parent = contexts[random(contexts.length)] ?? background();
    const [ctx, cancel] = withTimeout(parent, 1 + random(500), { name: `name-${random(60)}` });
    if (random(3) === 0) void track(ctx, new Promise(() => undefined), { kind: `kind-${random(12)}` });
    const settles = run(ctx, async () => Promise.resolve());
    if (random(4) === 0) cancel(random(2) === 0 ? 'why' : undefined);
    else contexts.push(ctx);
    if (random(10) === 0) clock.advance(random(100));
    if (random(200) === 0) clock.block(random(2000));
    await settles;
  }
  deadlineReceived.tell?.({ source: 'grpc-timeout', outcome: 'ok', remaining: 250 });
  deadlineReceived.tell?.({ source: 'x-request-timeout-ms', outcome: 'malformed', remaining: undefined });
  hooks.callRefused?.({ source: 'http.client' });
  backendCancel.tell?.({ system: 'postgresql', outcome: 'canceled', duration: 2 });
  clock.advance(5000);
}

function lawHolds(samples: ReadonlyMap<string, number>): boolean {
  const ended = total(samples, 'curfew_context_ended_total');
  const completed = total(samples, 'curfew_context_ended_total', 'outcome="completed"');
  const cancellations = total(samples, 'curfew_context_cancellations_total');
  return ended === completed + cancellations + total(samples, 'curfew_cancel_fanout_sum');
}

describe.each(formats)('the %s registry', (format, create) => {
  test("tells what OpenTelemetry's exporter tells, value by value, after a life of every sort", async () => {
    const registry = create();
    register(registry);
    await work();
    const { samples } = parsePromText(await registry.metrics(), format);
    expect(samples.size).toBeGreaterThan(500);
    expect(new Map([...samples].sort())).toEqual(new Map([...(await scrape(telemetry))].sort()));
    expect(lawHolds(samples)).toBe(true);
  });

  test('holds a family for every instrument, also for one that was never fed', async () => {
    const registry = create();
    register(registry);
    const { types } = parsePromText(await registry.metrics(), format);
    const expected = INSTRUMENT_LIST.map((instrument) => {
      const name = prometheusName(instrument);
      return [format === 'plain' ? name : name.replace(/_total$/, ''), instrument.kind];
    });
    expect([...types]).toEqual(expected);
  });

  test('is scraped at one moment, though contexts end between its families', async () => {
    const registry = create();
    register(registry);
    // Others' metrics are asked in the same turn, and may do anything. This one stands between two of ours.
    const ended = registry.getSingleMetric('curfew_context_ended_total') as Counter;
    registry.removeSingleMetric('curfew_context_ended_total');
    new Gauge({
      name: 'disturbing',
      help: 'Ends a context and its child at each scrape.',
      registers: [registry],
      collect() {
        const [parent, cancel] = withCancel(background(), { name: 'disturbing' });
        withCancel(parent);
        cancel('why');
      },
    });
    registry.registerMetric(ended);
    for (const cancellations of [0, 1, 2]) {
      const { samples } = parsePromText(await registry.metrics(), format);
      expect(total(samples, 'curfew_context_cancellations_total')).toBe(cancellations);
      expect(lawHolds(samples)).toBe(true);
    }
  });

  test('escapes names that would break it, and loses none', async () => {
    const registry = create();
    register(registry);
    const names = [
      'new\nline',
      'quo"te',
      'back\\slash',
      'bra}ce,="',
      '🦉',
      '__proto__',
      'x'.repeat(1e6),
      '\ud800',
    ];
    for (const name of names) withCancel(background(), { name })[1]('why');
    const text = parsePromText(await registry.metrics(), format);
    expect(labelValues(text, 'curfew_context_cancellations_total', 'curfew_context_name')).toEqual([
      'new_line',
      'quo"te',
      'back\\slash',
      'bra}ce,="',
      '🦉',
      '__proto__',
      'x'.repeat(100),
      '_',
    ]);
  });

  test('adds its default labels to the series, and ours win where both have one', async () => {
    const registry = create();
    register(registry);
    registry.setDefaultLabels({ service: 'shop', curfew_version: 'theirs' });
    const { samples } = parsePromText(await registry.metrics(), format);
    expect(total(samples, 'curfew_build_info', 'service="shop"', 'curfew_version="0.1.0"')).toBe(1);
  });

  test('can be reset without losing a count', async () => {
    const registry = create();
    register(registry);
    withCancel(background(), { name: 'kept' })[1]('why');
    registry.resetMetrics();
    const { samples } = parsePromText(await registry.metrics(), format);
    expect(total(samples, 'curfew_context_ended_total', 'name="kept"')).toBe(1);
  });

  test('can be merged with one that holds other metrics, and stays as it was', async () => {
    const [registry, others] = [create(), create()];
    register(registry);
    new Counter({ name: 'orders_total', help: 'Orders.', registers: [others] }).inc(3);
    withCancel(background(), { name: 'search' })[1]('why');
    const before = await registry.metrics();
    const merged = Registry.merge([registry as Registry, others as Registry]);
    expect(merged.getSingleMetric('curfew_context_ended_total')).toBeDefined();
    const { samples } = parsePromText(await merged.metrics(), format);
    expect(total(samples, 'orders_total')).toBe(3);
    expect(total(samples, 'curfew_context_ended_total')).toBe(1);
    expect(await registry.metrics()).toBe(before);
  });
});

test('figures are collected once a scrape, of text and of JSON, however many are asked for in one turn', async () => {
  let collections = 0;
  const families = () => {
    collections++;
    return telemetry.families();
  };
  const registry = new Registry();
  register(registry, { telemetry: { families, keepExemplars() {} } });
  await registry.metrics();
  expect(collections).toBe(1);
  await registry.getMetricsAsJSON();
  expect(collections).toBe(2);
  const first = registry.metrics();
  withCancel(background(), { name: 'between' })[1]();
  const second = registry.metrics();
  expect(collections).toBe(4);
  expect(await first).not.toContain('between');
  expect(await second).toContain('between');
  // Nothing that a scrape read is kept until the next one.
  registry.removeSingleMetric('curfew_context_active');
  withCancel(background(), { name: 'later' })[1]();
  expect(await registry.metrics()).toContain('later');
  // Whichever family is asked first opens the scrape.
  const before = registry.metrics();
  withCancel(background(), { name: 'at last' })[1]();
  expect(await registry.metrics()).toContain('at last');
  expect(await before).not.toContain('at last');
});

test('one telemetry serves two registries of different types, neither of which changes the other', async () => {
  const [plain, open] = [new Registry(), openMetrics()];
  register(plain);
  register(open);
  withCancel(background(), { name: 'search' })[1]('why');
  const openText = await open.metrics();
  const plainText = await plain.metrics();
  expect(parsePromText(plainText, 'plain').samples).toEqual(parsePromText(openText, 'openmetrics').samples);
  expect(await open.metrics()).toBe(openText);
  expect(plain.getSingleMetric('curfew_context_active')).not.toBe(
    open.getSingleMetric('curfew_context_active'),
  );
});

test('a family keeps its full name in JSON, and its own series in text, when the type of its registry changes', async () => {
  const registry = new Registry<any>();
  register(registry);
  withCancel(background(), { name: 'search' })[1]('why');
  registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
  parsePromText(await registry.metrics(), 'openmetrics');
  const single = `${await registry.getSingleMetricAsString('curfew_context_ended_total')}\n# EOF\n`;
  expect(parsePromText(single, 'openmetrics').samples.size).toBe(1);
  expect((await registry.getMetricsAsJSON()).map(({ name }) => name)).toEqual(NAMES);
  registry.setContentType(Registry.PROMETHEUS_CONTENT_TYPE);
  expect(parsePromText(await registry.metrics(), 'plain').types.has('curfew_context_ended_total')).toBe(true);
});

test('every family says how a cluster merges it: counts by their sum, the oldest age and the last start by the largest', async () => {
  const registry = new Registry();
  register(registry);
  const merging = new Map(
    (await registry.getMetricsAsJSON()).map(({ name, aggregator }) => [name, aggregator]),
  );
  const expected = INSTRUMENT_LIST.map(({ kind, unit }) =>
    kind === 'gauge' && unit === 's' ? 'max' : 'sum',
  );
  expect([...merging].filter(([name]) => name !== 'curfew_build_info')).toEqual(
    NAMES.map((name, index) => [name, expected[index]]).filter(([name]) => name !== 'curfew_build_info'),
  );
  expect(merging.get('curfew_build_info')).toBe('first');
});

test('JSON of two processes is added up by AggregatorRegistry', async () => {
  const registry = new Registry();
  register(registry);
  await work();
  const json = await registry.getMetricsAsJSON();
  // Over the wire, as between the processes of a cluster.
  const two = JSON.parse(JSON.stringify([json, json])) as object[];
  const { samples } = parsePromText(await AggregatorRegistry.aggregate(two).metrics(), 'plain');
  const once = parsePromText(await registry.metrics(), 'plain').samples;
  expect([...samples.keys()].sort()).toEqual([...once.keys()].sort());
  for (const [key, value] of once) {
    const isOne = /^curfew_(context_oldest_age|process_start_time|build_info)/.test(key);
    expect([key, samples.get(key)]).toEqual([key, isOne ? value : 2 * value]);
  }
});

describe('register', () => {
  test('for a registry that has the families already changes nothing, warns and returns the same unregister', async () => {
    const registry = new Registry();
    const unregister = register(registry);
    const family = registry.getSingleMetric('curfew_context_active');
    expect(register(registry)).toBe(unregister);
    expect(registry.getSingleMetric('curfew_context_active')).toBe(family);
    expect(warnings).toEqual(['@curfew/telemetry/prom-client: this registry has the families already.']);
    await registry.metrics();
  });

  test('unregister takes out what is ours alone, and can be called again', async () => {
    const registry = new Registry();
    new Counter({ name: 'orders_total', help: 'Orders.', registers: [registry] });
    const unregister = register(registry);
    registry.removeSingleMetric('curfew_context_active');
    const theirs = new Gauge({ name: 'curfew_context_active', help: 'Theirs.', registers: [registry] });
    unregister();
    unregister();
    expect(registry.getMetricsAsArray()).toEqual([registry.getSingleMetric('orders_total'), theirs]);
  });

  test('adds the families anew after unregister, and after the registry was cleared', async () => {
    const registry = openMetrics();
    register(registry)();
    register(registry);
    await registry.metrics();
    registry.clear();
    const unregister = register(registry);
    expect(registry.getMetricsAsArray()).toHaveLength(NAMES.length);
    // A scrape of OpenMetrics overwrites the names of metrics.
    await registry.metrics();
    unregister();
    expect(registry.getMetricsAsArray()).toEqual([]);
    expect(warnings).toEqual([]);
  });

  test.each([NAMES[0], NAMES[10], NAMES.at(-1)])(
    'refuses a registry that has a %s of somebody else, and leaves it exactly as it was',
    (name = '') => {
      const registry = new Registry();
      new Counter({ name: 'orders_total', help: 'Orders.', registers: [registry] });
      new Gauge({ name, help: 'Theirs.', registers: [registry] });
      const before = registry.getMetricsAsArray();
      expect(() => register(registry)).toThrow(new RegExp(`has a metric ${name} already`));
      expect(registry.getMetricsAsArray()).toEqual(before);
      registry.removeSingleMetric(name);
      register(registry);
    },
  );

  test('refuses the families of an earlier telemetry by name; its figures stay readable until they are taken out', async () => {
    const registry = new Registry();
    const unregister = register(registry);
    withCancel(background(), { name: 'old' })[1]();
    telemetry.uninstall();
    telemetry = install();
    expect(() => register(registry)).toThrow(/has a metric curfew_context_active already.*earlier telemetry/);
    expect(await registry.metrics()).toContain('name="old"');
    unregister();
    register(registry);
    expect(await registry.metrics()).not.toContain('name="old"');
  });

  test('says to install first, where telemetry is not installed', () => {
    telemetry.uninstall();
    expect(() => register(new Registry())).toThrow(/not installed: call install\(\)/);
    register(new Registry(), { telemetry });
  });

  test('refuses what is no registry and what is no option, naming it', () => {
    const bad: [unknown, unknown, RegExp][] = [
      [
        undefined,
        undefined,
        /^registry must be a Registry of prom-client, got undefined without registerMetric/,
      ],
      [null, undefined, /^registry must be a Registry of prom-client, got null/],
      ['metrics', undefined, /^registry must be a Registry of prom-client, got string/],
      [{ registerMetric() {} }, undefined, /^registry must be .* got object without getSingleMetric\(\)/],
      [require('prom-client'), undefined, /^registry must be .* got object without registerMetric\(\)/],
      [new Registry(), null, /^options must be an object such as \{ telemetry \}, got null/],
      [new Registry(), 'telemetry', /^options must be an object such as \{ telemetry \}, got string/],
      [new Registry(), { telemetry: null }, /^options\.telemetry must be what install\(\) returns, got null/],
      [new Registry(), { telemetry: {} }, /^options\.telemetry must be what install\(\) returns, got object/],
    ];
    for (const [registry, options, message] of bad) {
      const call = () => register(registry as Registry, options as undefined);
      expect(call).toThrow(message);
      expect(call).toThrow(TypeError);
    }
  });

  test('takes every registry of prom-client without a cast', () => {
    // That this compiles is the test.
    const registries: PromClientRegistry[] = [
      new Registry(),
      openMetrics(),
      new AggregatorRegistry(),
      globalRegistry,
    ];
    for (const registry of registries) register(registry)();
  });
});
