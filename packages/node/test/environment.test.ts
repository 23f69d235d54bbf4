import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readEnvironment } from '../src/settings/environment';
import type { Setting } from '../src/settings/kinds';
import { OTLP_SETTINGS } from '../src/settings/otlp-settings';
import { SETTINGS } from '../src/settings/settings';
import { settingsTable } from '../src/settings/table';

const once = Object.entries<Setting<unknown>>(SETTINGS);
const otlp = Object.entries<Setting<unknown>>(OTLP_SETTINGS);

/** What nothing but a text would accept. */
const BAD = '%zz !';

test('an empty environment gives the defaults and no warning', () => {
  const { settings, warnings } = readEnvironment({});
  expect(warnings).toEqual([]);
  for (const [key, { fallback }] of once) expect(settings[key as keyof typeof SETTINGS]).toEqual(fallback);
  expect(settings.otlp.traces).toMatchObject({
    endpoint: undefined,
    protocol: 'http/protobuf',
    timeout: 10_000,
  });
});

test('an empty variable is an unset one', () => {
  const env = Object.fromEntries(once.map(([, { env }]) => [env, '  ']));
  expect(readEnvironment(env)).toEqual(readEnvironment({}));
});

test.each(once.filter(([, { kind }]) => kind.parse(BAD) === undefined))(
  '%s: a bad value is told in one line that names variable, value and expectation, and the default is used',
  (key, setting) => {
    const { settings, warnings } = readEnvironment({ [setting.env]: BAD });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).not.toContain('\n');
    for (const part of [setting.env, BAD, setting.kind.expects]) expect(warnings[0]).toContain(part);
    expect(settings[key as keyof typeof SETTINGS]).toEqual(setting.fallback);
  },
);

test.each(otlp.filter(([, { kind }]) => kind.parse(BAD) === undefined))(
  'OTLP %s: a bad value is told once',
  (_key, setting) => {
    const { settings, warnings } = readEnvironment({ [`OTEL_EXPORTER_OTLP_${setting.env}`]: BAD });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(`OTEL_EXPORTER_OTLP_${setting.env}`);
    expect(settings).toEqual(readEnvironment({}).settings);
  },
);

test.each([
  ['OTEL_SDK_DISABLED', 'TRUE', { disabled: true }],
  ['OTEL_SERVICE_NAME', 'orders', { serviceName: 'orders' }],
  ['OTEL_RESOURCE_ATTRIBUTES', 'a=1, b=x%20y', { resource: { a: '1', b: 'x y' } }],
  ['OTEL_PROPAGATORS', 'baggage', { propagators: ['baggage'] }],
  ['OTEL_PROPAGATORS', 'none', { propagators: [] }],
  ['OTEL_TRACES_SAMPLER', 'traceidratio', { sampler: 'traceidratio' }],
  ['OTEL_TRACES_SAMPLER_ARG', '0.25', { samplerRatio: 0.25 }],
  ['OTEL_TRACES_EXPORTER', 'otlp,console', { traces: ['otlp', 'console'] }],
  ['OTEL_METRICS_EXPORTER', 'none', { metrics: [] }],
  ['OTEL_EXPORTER_PROMETHEUS_PORT', '0', { prometheusPort: 0 }],
  ['OTEL_BSP_MAX_QUEUE_SIZE', '100', { spanQueue: 100 }],
  ['CURFEW_ENFORCE', '0', { enforce: false }],
  ['CURFEW_GUARD', 'off', { guard: false }],
  ['CURFEW_LINGER_AFTER', '5000', { lingerAfter: 5000 }],
  ['CURFEW_DURATION_BY_NAME', 'true', { durationByName: true }],
  ['CURFEW_CLEANUPS', '1', { cleanups: true }],
  ['CURFEW_EVENTS', 'log', { events: 'log' }],
  ['CURFEW_LOST', '1', { lost: true }],
  ['CURFEW_CAPTURE_STACKS', '0.01', { captureStacks: 0.01 }],
  ['CURFEW_OUTBOUND_HOSTS', 'private,*.example.com', { outboundHosts: ['private', '*.example.com'] }],
  ['CURFEW_OUTBOUND_HOSTS', 'none', { outboundHosts: [] }],
])('%s=%s is read', (name, value, expected) => {
  const { settings, warnings } = readEnvironment({ [name]: value });
  expect(warnings).toEqual([]);
  expect(settings).toMatchObject(expected);
});

test.each([
  ['OTEL_BSP_SCHEDULE_DELAY', '-1'],
  ['OTEL_BSP_SCHEDULE_DELAY', '1e3'],
  ['OTEL_BSP_SCHEDULE_DELAY', '99999999999'],
  ['OTEL_BSP_MAX_QUEUE_SIZE', '1.5'],
  ['OTEL_TRACES_SAMPLER_ARG', '1.1'],
  ['OTEL_TRACES_EXPORTER', 'otlp,zipkin'],
  ['OTEL_METRICS_EXPORTER', 'none,otlp'],
  ['OTEL_EXPORTER_PROMETHEUS_PORT', '65536'],
  ['OTEL_EXPORTER_OTLP_ENDPOINT', 'localhost:4318'],
  ['OTEL_RESOURCE_ATTRIBUTES', 'a=1,b'],
  ['CURFEW_ENFORCE', 'never'],
  ['CURFEW_REQUEST_TIMEOUT', 'abc'],
  ['CURFEW_REQUEST_TIMEOUT', 'NaN'],
  ['CURFEW_REQUEST_TIMEOUT', '0'],
  ['CURFEW_LINGER_AFTER', '5s'],
  ['CURFEW_CAPTURE_STACKS', '2'],
  ['CURFEW_OUTBOUND_HOSTS', 'http://example.com'],
])('%s=%s is refused', (name, value) => {
  expect(readEnvironment({ [name]: value }).warnings).toEqual([
    expect.stringContaining(`${name}: "${value}"`),
  ]);
});

test.each([
  [false, ['0', 'false', 'off', 'no', 'OFF', 'No', 'False', ' off ']],
  [true, ['1', 'true', 'on', 'yes', 'ON', 'Yes', 'True']],
])('CURFEW_ENFORCE is %s for whatever means it', (enforce, values) => {
  for (const value of values) {
    const { settings, warnings } = readEnvironment({ CURFEW_ENFORCE: value });
    expect([value, settings.enforce, warnings]).toEqual([value, enforce, []]);
  }
});

test('grpc is refused with what to use in its place', () => {
  const { settings, warnings } = readEnvironment({ OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' });
  expect(warnings).toEqual([
    'OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" is not valid, expected http/protobuf or http/json (grpc is not supported: ' +
      'leave this unset and give the address of the HTTP port, 4318 on a Collector); using http/protobuf',
  ]);
  expect(settings.otlp.traces.protocol).toBe('http/protobuf');
});

test('a variable of one signal comes before that of both, and headers add up', () => {
  const { settings } = readEnvironment({
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://all:4318',
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://traces:1/here',
    OTEL_EXPORTER_OTLP_HEADERS: 'a=1,b=2',
    OTEL_EXPORTER_OTLP_METRICS_HEADERS: 'b=3',
    OTEL_EXPORTER_OTLP_METRICS_PROTOCOL: 'http/json',
  });
  expect(settings.otlp.traces).toMatchObject({
    exact: true,
    headers: { a: '1', b: '2' },
    protocol: 'http/protobuf',
  });
  expect(settings.otlp.traces.endpoint?.href).toBe('http://traces:1/here');
  expect(settings.otlp.metrics).toMatchObject({
    exact: false,
    headers: { a: '1', b: '3' },
    protocol: 'http/json',
  });
});

test('what may be a secret is never told', () => {
  const { warnings } = readEnvironment({
    OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20hush',
    OTEL_EXPORTER_OTLP_TRACES_HEADERS: 'hush-hush',
  });
  expect(warnings).toEqual([expect.stringContaining('OTEL_EXPORTER_OTLP_TRACES_HEADERS')]);
  expect(warnings.join()).not.toContain('hush');
});

test('no two settings read one variable, and ours are CURFEW_*', () => {
  const names = once.map(([, { env }]) => env);
  expect(new Set(names).size).toBe(names.length);
  for (const name of names) expect(name).toMatch(/^(OTEL|CURFEW)_[A-Z_]+$/);
});

test('the table in the README is the one that the settings give (npm run generate -w @curfew/node)', () => {
  expect(readFileSync(join(__dirname, '../README.md'), 'utf8')).toContain(settingsTable());
});
