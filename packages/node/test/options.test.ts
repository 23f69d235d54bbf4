import { start } from '@curfew/node';
import { TELEMETRY_OPTIONS } from '@curfew/telemetry/options';
import { readEnvironment } from '../src/settings/environment';
import { configure } from '../src/settings/options';
import { VERSION } from '../src/version';

const { settings } = readEnvironment({ CURFEW_LINGER_AFTER: '1', OTEL_RESOURCE_ATTRIBUTES: 'a=1,b=2' });

test.each([
  [null, 'TypeError', 'options'],
  ['orders', 'TypeError', 'options'],
  [{ serviceName: 1 }, 'TypeError', 'serviceName'],
  [{ serviceName: '' }, 'RangeError', 'serviceName'],
  [{ resource: [] }, 'TypeError', 'resource'],
  [{ resource: { a: {} } }, 'TypeError', "resource['a']"],
  [{ enforce: 0 }, 'TypeError', 'enforce'],
  [{ guard: 'off' }, 'TypeError', 'guard'],
  [{ orphanGrace: '1' }, 'TypeError', 'orphanGrace'],
  [{ orphanReportAfter: -1 }, 'RangeError', 'orphanReportAfter'],
  [{ lingerAfter: NaN }, 'RangeError', 'lingerAfter'],
  [{ lost: 'yes' }, 'TypeError', 'lost'],
  [{ events: 'both' }, 'TypeError', 'events'],
  [{ captureStacks: 1.5 }, 'RangeError', 'captureStacks'],
  [{ maxNames: 0 }, 'RangeError', 'maxNames'],
  [{ maxKinds: 1.5 }, 'RangeError', 'maxKinds'],
  [{ maxTimeout: -1 }, 'RangeError', 'maxTimeout'],
  [{ requestTimeout: 0 }, 'RangeError', 'requestTimeout'],
  [{ outboundHosts: 'a' }, 'TypeError', 'outboundHosts'],
  [{ outboundHosts: ['http://a'] }, 'TypeError', 'options.outboundHosts: a host'],
  [{ prometheus: true }, 'TypeError', 'prometheus'],
  [{ prometheus: { host: 1 } }, 'TypeError', 'prometheus.host'],
  [{ prometheus: { host: '' } }, 'RangeError', 'prometheus.host'],
  [{ prometheus: { port: 65_536 } }, 'RangeError', 'prometheus.port'],
  [{ spanProcessors: {} }, 'TypeError', 'spanProcessors'],
  [{ metricReaders: {} }, 'TypeError', 'metricReaders'],
  [{ shutdownTimeout: Infinity }, 'RangeError', 'shutdownTimeout'],
])('start(%j) throws a %s that names %s, and sets nothing up', (options, name, argument) => {
  const globals = Object.getOwnPropertySymbols(globalThis);
  expect(() => start(options as never)).toThrow(
    expect.objectContaining({ name, message: expect.stringContaining(argument) }),
  );
  expect(Object.getOwnPropertySymbols(globalThis)).toEqual(globals);
});

test.each([
  'orphanGrace',
  'orphanReportAfter',
  'lingerAfter',
  'maxNames',
  'maxKinds',
  'captureStacks',
  'maxTimeout',
  'requestTimeout',
  'shutdownTimeout',
  'prometheus.port',
])('%s: NaN, which is what Number() makes of a missing variable, is refused at once by its name', (name) => {
  const options = name === 'prometheus.port' ? { prometheus: { port: NaN } } : { [name]: NaN };
  expect(() => start(options)).toThrow(
    expect.objectContaining({
      name: 'RangeError',
      message: expect.stringMatching(`^options\\.${name} must be .*NaN$`),
    }),
  );
});

test('options come before the environment, which holds for what they do not say', () => {
  const configuration = configure(settings, { lingerAfter: 2, resource: { b: 3 }, maxTimeout: Infinity });
  expect(configuration).toMatchObject({
    lingerAfter: 2,
    maxTimeout: Infinity,
    orphanGrace: 1000,
    resourceAttributes: { a: '1', b: 3 },
  });
});

test('what telemetry declares is a variable and an option of start without a word more', () => {
  const declared = Object.entries(TELEMETRY_OPTIONS).flatMap(([name, option]) =>
    'fallback' in option ? [[name, option] as const] : [],
  );
  expect(declared.length).toBeGreaterThan(0);
  for (const [name, option] of declared) {
    const variable = `CURFEW_${name.replace(/[A-Z]/g, '_$&').toUpperCase()}`;
    const [said, given] =
      option.kind === 'flag'
        ? [true, false]
        : option.kind === 'choice'
          ? option.values
          : [option.most === 1 ? 0.5 : 7, 1];
    const { settings: read, warnings } = readEnvironment({ [variable]: String(said) });
    expect([name, warnings]).toEqual([name, []]);
    expect(read).toMatchObject({ [name]: said });
    expect(configure(read, { [name]: given })).toMatchObject({ [name]: given });
  }
});

test('prometheus: false takes the endpoint away and leaves the other exporters', () => {
  const withOtlp = readEnvironment({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318' }).settings;
  expect(configure(withOtlp, { prometheus: false }).metrics).toEqual(['otlp']);
  expect(configure(settings, { prometheus: { port: 0 } })).toMatchObject({
    prometheusPort: 0,
    prometheusHost: '127.0.0.1',
  });
});

test('the version told in the resource is that of the package', () => {
  expect(VERSION).toBe((require('../package.json') as { version: string }).version);
});
