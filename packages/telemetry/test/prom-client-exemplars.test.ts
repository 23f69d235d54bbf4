import { background, withCancel } from '@curfew/context';
import type { Exemplar, Family, Telemetry } from '@curfew/telemetry';
import { register } from '@curfew/telemetry/prom-client';
import { ROOT_CONTEXT, trace } from '@opentelemetry/api';
import type { NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import { Registry, type OpenMetricsContentType } from 'prom-client';
import type { ManualClock } from '../../../test/manual-clock';
import { observe, type Observed } from './observed';
import { parsePromText } from './prom-client-text';
import { backendCancel } from './adapters';

let observed: Observed;
let clock: ManualClock;
let telemetry: Telemetry;
let provider: NodeTracerProvider;
beforeEach(() => {
  observed = observe();
  ({ clock, telemetry, provider } = observed);
});
afterEach(() => observed.stop());

function openMetrics(): Registry<OpenMetricsContentType> {
  const registry = new Registry<OpenMetricsContentType>();
  registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
  return registry;
}

/** Telemetry whose every point has an exemplar, as given. */
function withExemplars(exemplar: Partial<Exemplar>): Pick<Telemetry, 'families' | 'keepExemplars'> {
  const whole = {
    traceId: 'a'.repeat(32),
    spanId: 'b'.repeat(16),
    value: 0.5,
    at: 1_767_225_600_250,
    ...exemplar,
  };
  return {
    keepExemplars() {},
    families: () =>
      telemetry.families().map(
        (family) =>
          ({
            ...family,
            points: family.points.map((point) =>
              'counts' in point
                ? { ...point, exemplars: point.counts.map((count) => (count > 0 ? whole : undefined)) }
                : { ...point, exemplar: whole },
            ),
          }) as Family,
      ),
  };
}

test('the bucket of a cancellation leads to the trace that was cancelled, with the value and the time in seconds', async () => {
  const registry = openMetrics();
  register(registry);
  const span = provider.getTracer('test').startSpan('GET /search', {}, ROOT_CONTEXT);
  const [, cancel] = withCancel(trace.setSpan(background(), span), { name: 'search' });
  clock.advance(40);
  cancel('user left');
  span.end();
  const { exemplars } = parsePromText(await registry.metrics(), 'openmetrics');
  const { traceId, spanId } = span.spanContext();
  const labels = { trace_id: traceId, span_id: spanId };
  const timestamp = Date.UTC(2026, 0, 1) / 1000 + 0.04;
  expect(
    exemplars.get('curfew_context_duration_seconds_bucket{curfew_context_outcome="canceled",le="0.05"}'),
  ).toEqual({ labels, value: 0.04, timestamp });
  const counter = [...exemplars.keys()].filter((key) =>
    key.startsWith('curfew_context_cancellations_total{'),
  );
  expect(counter.map((key) => exemplars.get(key))).toEqual([{ labels, value: 1, timestamp }]);
});

test('each exemplar stands on the one bucket that its value falls into', async () => {
  const registry = openMetrics();
  register(registry);
  const tracer = provider.getTracer('test');
  for (const ms of [0, 1, 3, 40, 999, 1e9]) {
    const span = tracer.startSpan('work', {}, ROOT_CONTEXT);
    const [, cancel] = withCancel(trace.setSpan(background(), span));
    clock.advance(ms);
    cancel('why');
    span.end();
  }
  const { exemplars, samples } = parsePromText(await registry.metrics(), 'openmetrics');
  const buckets = [...samples.keys()].filter((key) =>
    key.startsWith('curfew_context_duration_seconds_bucket{'),
  );
  let lower = -Infinity;
  const found: number[] = [];
  for (const key of buckets) {
    const le = /le="([^"]*)"/.exec(key)?.[1] ?? '';
    const upper = le === '+Inf' ? Infinity : Number(le);
    const { value } = exemplars.get(key) ?? {};
    if (value !== undefined) {
      found.push(value);
      expect(value).toBeGreaterThan(lower);
      expect(value).toBeLessThanOrEqual(upper);
    }
    lower = upper;
  }
  // The later of two in one bucket stays only if it came a second later.
  expect(found).toEqual([0, 0.003, 0.04, 0.999, 1e6]);
});

test('a plain registry shows none, and a gauge never has one', async () => {
  const [plain, open] = [new Registry(), openMetrics()];
  const exemplary = withExemplars({});
  register(plain, { telemetry: exemplary });
  register(open, { telemetry: exemplary });
  withCancel(background())[1]('why');
  expect(await plain.metrics()).not.toContain('trace_id');
  expect(JSON.stringify(await plain.getMetricsAsJSON())).not.toContain('trace_id');
  const { exemplars, types } = parsePromText(await open.metrics(), 'openmetrics');
  expect(exemplars.size).toBeGreaterThan(3);
  const gauges = [...types].filter(([, type]) => type === 'gauge').map(([name]) => name);
  expect([...exemplars.keys()].filter((key) => gauges.some((name) => key.startsWith(`${name}{`)))).toEqual(
    [],
  );
});

test('exemplars are kept for a registry of OpenMetrics alone, from registration on or from the scrape that finds it one', async () => {
  let asked = 0;
  const counting = { families: () => telemetry.families(), keepExemplars: () => void asked++ };
  const registry = new Registry<any>();
  register(registry, { telemetry: counting });
  await registry.metrics();
  expect(asked).toBe(0);
  registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
  await registry.metrics();
  expect(asked).toBe(1);
  register(openMetrics(), { telemetry: counting });
  expect(asked).toBe(2);
});

test('ids that would make a line invalid, and a value that is none, cost the exemplar and not the scrape', async () => {
  withCancel(background())[1]('why');
  const shown = async (exemplar: Partial<Exemplar>) => {
    const registry = openMetrics();
    register(registry, { telemetry: withExemplars(exemplar) });
    return parsePromText(await registry.metrics(), 'openmetrics').exemplars.size > 0;
  };
  expect(await shown({ traceId: 'x'.repeat(97) })).toBe(true);
  expect(await shown({ traceId: 'x'.repeat(98) })).toBe(false);
  expect(await shown({ value: NaN })).toBe(false);
  expect(await shown({ value: Infinity })).toBe(true);
  expect(await shown({ value: 1e-9 })).toBe(true);
});

test('an adapter that tells a duration that is no number loses no scrape', async () => {
  const registry = openMetrics();
  register(registry);
  const span = provider.getTracer('test').startSpan('query', {}, ROOT_CONTEXT);
  const told = { system: 'postgresql', outcome: 'failed', duration: NaN } as const;
  backendCancel.tell?.({ ...told, ctx: trace.setSpan(ROOT_CONTEXT, span) });
  const { samples } = parsePromText(await registry.metrics(), 'openmetrics');
  expect([...samples.keys()].join('\n')).toContain('curfew_backend_cancel_duration_seconds_count');
  span.end();
});
