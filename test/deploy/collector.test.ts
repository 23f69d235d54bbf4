import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ATTRIBUTES, EVENTS, SPAN_ATTRIBUTES, SPANS } from '@curfew/telemetry';
import { parse } from 'yaml';
import { problemsOf, type CollectorConfig } from './collector';

const DIR = join(__dirname, '..', '..', 'collector-config');
const files = readdirSync(DIR).filter((name) => name.endsWith('.yaml'));
const textOf = (file: string) => readFileSync(join(DIR, file), 'utf8');
const configOf = (file: string) => parse(textOf(file)) as CollectorConfig;

it('comes as an agent, a gateway, and both in one', () => {
  expect(files.sort()).toEqual(['agent.yaml', 'all-in-one.yaml', 'gateway.yaml']);
});

describe.each(files)('%s', (file) => {
  it('defines each member of each pipeline, uses each component, and none that is deprecated', () => {
    expect(problemsOf(configOf(file))).toEqual([]);
  });

  it('reads the environment in the syntax that is not deprecated', () => {
    const plain = [...textOf(file).matchAll(/\$(?!\{env:[A-Z_]+(:-[^}]*)?\})\S*/g)].map((match) => match[0]);
    expect(plain).toEqual([]);
  });

  it('says where it listens, and serves its own health and metrics', () => {
    const config = configOf(file);
    expect(config.service.extensions).toContain('health_check');
    expect(config.extensions).toMatchObject({ health_check: { endpoint: expect.stringMatching(/:13133$/) } });
    expect(config.service.telemetry?.metrics).toHaveProperty('readers');
  });

  it('knows no name that the telemetry registry does not', () => {
    const known: string[] = [
      ...Object.keys(ATTRIBUTES),
      ...Object.values(SPAN_ATTRIBUTES),
      ...Object.values(SPANS),
      ...Object.values(EVENTS),
    ];
    const used = [
      ...textOf(file)
        .replace(/^\s*#.*$/gm, '')
        .matchAll(/\bcurfew\.[a-z_.]+/g),
    ].map((match) => match[0]);
    expect(used.filter((name) => !known.includes(name))).toEqual([]);
  });
});

describe.each(['all-in-one.yaml', 'gateway.yaml'])('the sampling of %s', (file) => {
  interface Policy {
    readonly name: string;
    readonly type: string;
    readonly string_attribute?: { readonly key: string; readonly values: readonly string[] };
  }
  const sampling = configOf(file).processors?.tail_sampling as {
    readonly policies: readonly Policy[];
    readonly num_traces: number;
    readonly decision_cache: { readonly sampled_cache_size: number };
  };

  it('keeps every trace with a cancellation, for every reason there is', () => {
    const policy = sampling.policies.find((it) => it.string_attribute?.key === 'curfew.cancel.reason');
    expect(policy?.string_attribute?.values).toEqual(ATTRIBUTES['curfew.cancel.reason'].values);
  });

  it('has no policy that could overrule that', () => {
    expect(sampling.policies.filter((it) => ['drop', 'not', 'and', 'composite'].includes(it.type))).toEqual(
      [],
    );
  });

  it('remembers decisions for longer than traces, so that late orphans follow theirs', () => {
    expect(sampling.decision_cache.sampled_cache_size).toBeGreaterThanOrEqual(10 * sampling.num_traces);
  });

  it('counts spans before it samples them, without those that Curfew adds', () => {
    const { pipelines } = configOf(file).service;
    const counting = Object.values(pipelines).filter((it) => it.exporters.includes('span_metrics'));
    expect(counting).toHaveLength(1);
    expect(counting[0]?.processors).toEqual(['filter/own_spans']);
  });
});

describe('the check itself', () => {
  const good: CollectorConfig = {
    receivers: { otlp: {} },
    processors: { memory_limiter: {} },
    exporters: { otlp_grpc: {} },
    service: {
      pipelines: {
        traces: { receivers: ['otlp'], processors: ['memory_limiter'], exporters: ['otlp_grpc'] },
      },
    },
  };
  const piped = (pipeline: object) => ({
    ...good,
    service: { pipelines: { traces: { ...good.service.pipelines.traces!, ...pipeline } } },
  });

  it('accepts a right configuration', () => {
    expect(problemsOf(good)).toEqual([]);
  });

  it.each<[string, CollectorConfig, string]>([
    [
      'an undefined member',
      piped({ exporters: ['otlp_grpc', 'debug'] }),
      'traces.exporters: debug is not defined',
    ],
    ['an unused component', { ...good, connectors: { forward: {} } }, 'connectors: forward is not used'],
    [
      'a misspelt component',
      { ...good, extensions: { healthcheck: {} } },
      'extensions: no component is called healthcheck',
    ],
    [
      'a deprecated name',
      { ...good, connectors: { spanmetrics: {} } },
      'connectors.spanmetrics is deprecated: use span_metrics',
    ],
    [
      'a deprecated setting',
      { ...good, processors: { memory_limiter: {}, 'filter/a': { traces: {} } } },
      'processors.filter/a.traces is deprecated: use trace_conditions',
    ],
    [
      'a limiter that is missing',
      piped({ processors: [] }),
      'traces: memory_limiter is not its first processor',
    ],
  ])('reports %s', (_, config, problem) => {
    expect(problemsOf(config)).toContain(problem);
  });
});
