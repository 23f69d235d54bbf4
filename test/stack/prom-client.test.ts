import { background, withCancel, withTimeout } from '@curfew/context';
import { adapterEvent } from '@curfew/context/spi';
import { install, type Telemetry } from '@curfew/telemetry';
import { register } from '@curfew/telemetry/prom-client';
import { context, ROOT_CONTEXT, trace } from '@opentelemetry/api';
import { NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import { AggregatorRegistry, Counter, Registry, type OpenMetricsContentType } from 'prom-client';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

// Prometheus itself judges what prom-client writes of Curfew's families.

/** A test that needs a program, skipped with a reason where it is absent. */
function itWith(program: string): jest.It {
  if (spawnSync(program, ['--version']).status === 0) return it;
  console.log(`skipped: no ${program}`);
  return it.skip;
}

const NASTY = [
  'new\nline',
  'quo"te',
  'back\\slash',
  'bra}ce,="',
  '🦉',
  '__proto__',
  'x'.repeat(1e6),
  '',
  '\u0000',
  '\ud800',
  `${'y'.repeat(99)}🦉`,
];

let telemetry: Telemetry;
let provider: NodeTracerProvider;
beforeEach(() => {
  telemetry = install({ durationByName: true, cleanups: true });
  provider = new NodeTracerProvider({ spanProcessors: [telemetry.spanProcessor] });
  provider.register();
});
afterEach(async () => {
  await provider.shutdown();
  trace.disable();
  context.disable();
  telemetry.uninstall();
});

/** Cancels a context of every nasty name, each under a span; returns the traces. */
function work(): string[] {
  adapterEvent<object>('deadline.received').tell?.({
    source: 'grpc\n"timeout"',
    outcome: 'ok',
    remaining: 250,
  });
  return NASTY.map((name) => {
    const span = provider.getTracer('test').startSpan('request', {}, ROOT_CONTEXT);
    const [parent, cancel] = withCancel(trace.setSpan(background(), span), { name });
    withTimeout(parent, 10_000, { name });
    cancel('why');
    span.end();
    return span.spanContext().traceId;
  });
}

itWith('promtool')(
  'promtool finds nothing to say about the text of a registry, nor of a cluster',
  async () => {
    const registry = new Registry();
    register(registry);
    work();
    const json = JSON.parse(JSON.stringify(await registry.getMetricsAsJSON())) as object;
    const texts = [await registry.metrics(), await AggregatorRegistry.aggregate([json, json]).metrics()];
    for (const input of texts) {
      expect(input.split('\n').length).toBeGreaterThan(300);
      const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
        input,
        encoding: 'utf8',
      });
      expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr: '' });
    }
  },
);

describe('a Prometheus', () => {
  const dir = mkdtempSync(join(tmpdir(), 'curfew-prom-client-'));
  let server: Server | undefined;
  let prometheus: ChildProcess | undefined;
  afterAll(async () => {
    if (prometheus !== undefined) {
      const exited = new Promise((resolve) => prometheus?.once('exit', resolve));
      prometheus.kill('SIGKILL');
      await exited;
    }
    server?.close();
    server?.closeAllConnections();
    rmSync(dir, { recursive: true, force: true });
  });

  /** Serves the metrics, and starts a Prometheus that scrapes them each second; returns a way to ask it. */
  async function start(registry: Registry<OpenMetricsContentType>) {
    server = createServer((_request, response) => {
      void registry.metrics().then((text) => {
        response.setHeader('content-type', registry.contentType);
        response.end(text);
      });
    });
    const target = `127.0.0.1:${await listen(server)}`;
    const file = join(dir, 'prometheus.yml');
    writeFileSync(
      file,
      JSON.stringify({
        global: { scrape_interval: '1s' },
        scrape_configs: [{ job_name: 'shop', static_configs: [{ targets: [target] }] }],
      }),
    );
    const port = await freePort();
    prometheus = spawn(
      'prometheus',
      [
        `--config.file=${file}`,
        `--storage.tsdb.path=${join(dir, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
        '--enable-feature=exemplar-storage',
        '--log.level=error',
      ],
      { stdio: 'inherit' },
    );
    return async (path: string, parameters: Record<string, string>): Promise<any[]> => {
      const url = `http://127.0.0.1:${port}/api/v1/${path}?${new URLSearchParams(parameters).toString()}`;
      const { data } = (await (await fetch(url)).json()) as { data: any };
      return (data.result ?? data) as any[];
    };
  }

  itWith('prometheus')('takes the OpenMetrics text whole, and leads from a bucket to its trace', async () => {
    const registry = new Registry<OpenMetricsContentType>();
    registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
    new Counter({ name: 'orders_total', help: 'Orders.', registers: [registry] }).inc();
    register(registry);
    const traces = work();
    const ask = await start(registry);
    const ended = await until(() => ask('query', { query: 'curfew_context_ended_total' }));
    const names = ended.map(({ metric }) => metric.curfew_context_name as string);
    expect(names.sort()).toEqual(
      [
        'new_line',
        'quo"te',
        'back\\slash',
        'bra}ce,="',
        '🦉',
        '__proto__',
        'x'.repeat(100),
        'unnamed',
        '_',
        'y'.repeat(99),
      ].sort(),
    );
    const [sum] = await ask('query', { query: 'sum(curfew_context_ended_total)' });
    expect(sum.value[1]).toBe(String(2 * NASTY.length));
    // The last metric of the last family: nothing before it was refused.
    expect(await ask('query', { query: 'curfew_build_info' })).toHaveLength(1);
    const end = Date.now() / 1000 + 60;
    const exemplars = await ask('query_exemplars', {
      query: 'curfew_context_cancellations_total',
      start: String(end - 600),
      end: String(end),
    });
    const led = exemplars
      .flatMap((series) => series.exemplars)
      .map(({ labels }) => labels.trace_id as string);
    expect(led.length).toBe(ended.length);
    expect(traces).toEqual(expect.arrayContaining(led));
  });
});

function listen(on: Server): Promise<number> {
  return new Promise((resolve) => {
    on.listen(0, '127.0.0.1', () => resolve((on.address() as AddressInfo).port));
  });
}

async function freePort(): Promise<number> {
  const probe = createServer();
  const port = await listen(probe);
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/** Asks until there is an answer: a server that starts has none yet. */
async function until(ask: () => Promise<any[]>): Promise<any[]> {
  for (;;) {
    const answer = await ask().catch(() => []);
    if (answer.length > 0) return answer;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
