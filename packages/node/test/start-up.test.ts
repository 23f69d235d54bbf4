import { endAll, run, type SpawnOptions } from './spawned';

afterEach(endAll);

// What a start costs is what it loads: a fifth of a millisecond and more for each module. Time on a busy machine says
// nothing about it, a count does.

/** What is loaded by the time that the application begins: files from `packages` or `node_modules` on. */
async function loaded(env: SpawnOptions['env'] = {}): Promise<readonly string[]> {
  const program = `console.log(JSON.stringify(Object.keys(require.cache)))`;
  const { stdout } = await run(program, { env: { OTEL_EXPORTER_PROMETHEUS_PORT: '0', ...env } });
  return (JSON.parse(stdout) as string[]).map((file) =>
    file.replaceAll('\\', '/').replace(/^.*\/(packages|node_modules)\//, ''),
  );
}

/** How many files of each package, by its name. */
function byPackage(files: readonly string[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const file of files) {
    const name = /^(?:@[^/]+\/)?[^/]+/.exec(file)![0];
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

const OTLP = /otlp|span-batches|protobuf/;
const PROMETHEUS = /exporter-prometheus|prometheus-(exporter|server|text)/;

test('a start without an OTLP endpoint loads nothing that sends over OTLP', async () => {
  const settings = 'node/dist/settings/otlp-settings.js';
  expect((await loaded()).filter((file) => OTLP.test(file) && file !== settings)).toEqual([]);
});

test('one with an endpoint has loaded it before the application begins, so that no request waits for it', async () => {
  const files = await loaded({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' });
  expect(files).toEqual(expect.arrayContaining(['node/dist/exporters/otlp-transport.js']));
  expect(byPackage(files)).toHaveProperty(['@opentelemetry/otlp-transformer']);
});

test('a start that serves no /metrics loads nothing of Prometheus', async () => {
  expect((await loaded()).filter((file) => PROMETHEUS.test(file))).not.toEqual([]);
  const files = await loaded({ OTEL_METRICS_EXPORTER: 'none' });
  expect(files.filter((file) => PROMETHEUS.test(file))).toEqual([]);
});

test('a start loads no verb that only programs call, and no pg', async () => {
  const files = await loaded();
  expect(files.filter((file) => file.startsWith('context/dist/verbs/')).sort()).toEqual([
    'context/dist/verbs/derive.js',
    'context/dist/verbs/on-end.js',
    'context/dist/verbs/roots.js',
  ]);
  expect(byPackage(files)).not.toHaveProperty('pg');
});

/** Of our own, with room for a file or two. Those of OpenTelemetry are what the same SDK loads by hand. */
const MOST: Readonly<Record<string, number>> = {
  context: 36,
  http: 20,
  node: 28,
  propagation: 8,
  telemetry: 42,
};

const SDK = [
  '@opentelemetry/api',
  '@opentelemetry/api-logs',
  '@opentelemetry/context-async-hooks',
  '@opentelemetry/core',
  '@opentelemetry/exporter-prometheus',
  '@opentelemetry/instrumentation',
  '@opentelemetry/instrumentation-http',
  '@opentelemetry/instrumentation-undici',
  '@opentelemetry/resources',
  '@opentelemetry/sdk-metrics',
  '@opentelemetry/sdk-trace',
  '@opentelemetry/sdk-trace-base',
  '@opentelemetry/sdk-trace-node',
  '@opentelemetry/semantic-conventions',
];

test('a start loads of our packages these files at most, and no further package of OpenTelemetry', async () => {
  const counts = Object.entries(byPackage(await loaded()));
  expect(counts.map(([name]) => name)).toEqual(expect.arrayContaining(Object.keys(MOST)));
  expect(counts.filter(([name, count]) => name in MOST && count > MOST[name]!)).toEqual([]);
  expect(
    counts
      .map(([name]) => name)
      .filter((name) => name.startsWith('@opentelemetry/'))
      .sort(),
  ).toEqual(SDK);
});
