import { install, type Telemetry } from '@curfew/telemetry';
import { register } from '@curfew/telemetry/prom-client';
import { diag, DiagLogLevel, type DiagLogger } from '@opentelemetry/api';
import { Registry } from 'prom-client';

// What is scraped is told apart by who reads it: a producer for Prometheus or a registry of prom-client.

let telemetry: Telemetry;
const warnings: string[] = [];
beforeEach(() => {
  telemetry = install();
  const silent = { error() {}, info() {}, debug() {}, verbose() {} };
  const logger: DiagLogger = { ...silent, warn: (message) => void warnings.push(message) };
  diag.setLogger(logger, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true });
});
afterEach(() => {
  diag.disable();
  warnings.length = 0;
  telemetry.uninstall();
});

/** Scrapes in an order such as `opop`: o for OpenTelemetry, p for prom-client. */
async function scrapes(order: string): Promise<void> {
  const registry = new Registry();
  const unregister = register(registry);
  const producer = telemetry.producer({ dialect: 'prometheus' });
  for (const way of order) await (way === 'o' ? producer.collect() : registry.metrics());
  unregister();
}

test('both scraped in turns are said once to be the same figures twice', async () => {
  await scrapes('opop');
  expect(warnings).toEqual([expect.stringMatching(/both scraped.*twice what it should be/)]);
  await scrapes('opopopop');
  expect(warnings).toHaveLength(1);
});

test.each(['', 'o', 'oooo', 'pppp', 'op', 'opo', 'pop', 'oooopppp', 'ppppoooo', 'ppoooopp'])(
  'one way alone, a try of the other and a move to it are no double scrape: %s',
  async (order) => {
    await scrapes(order);
    expect(warnings).toEqual([]);
  },
);

test('one of them may be scraped more often than the other', async () => {
  await scrapes('pppppoppppop');
  expect(warnings).toHaveLength(1);
});

test('a reader that pushes OTLP is no scrape, and neither is a snapshot', async () => {
  const registry = new Registry();
  register(registry);
  const producer = telemetry.producer();
  for (let round = 0; round < 5; round++) {
    await producer.collect();
    await registry.metrics();
    telemetry.snapshot();
  }
  expect(warnings).toEqual([]);
});

test('a telemetry installed later is watched by itself', async () => {
  await scrapes('opo');
  telemetry.uninstall();
  telemetry = install();
  await scrapes('opo');
  expect(warnings).toEqual([]);
  await scrapes('p');
  expect(warnings).toHaveLength(1);
});
