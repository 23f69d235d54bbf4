import { DataPointType } from '@opentelemetry/sdk-metrics';
import { emptyResource } from '@opentelemetry/resources';
import { toFamilies } from '../src/exporters/prometheus-text';

function measured(
  scope: string,
  name: string,
  attributes: Record<string, unknown>,
  dataPointType = DataPointType.SUM,
): any {
  return {
    scope: { name: scope, version: '1' },
    metrics: [{ descriptor: { name }, dataPointType, dataPoints: [{ attributes, value: 1 }] }],
  };
}

function families(...scopeMetrics: any[]): any[] {
  const metrics = { resource: emptyResource(), scopeMetrics };
  return toFamilies(metrics).scopeMetrics.flatMap((scope) => scope.metrics);
}

test('one name measured in two scopes is one family, whose series the scope tells apart', () => {
  const found = families(measured('http', 'a.b', { x: '1' }), measured('undici', 'a.b', { x: '1' }));
  expect(found).toHaveLength(1);
  expect(found[0].dataPoints.map((point: any) => point.attributes)).toEqual([
    { x: '1', otel_scope_name: 'http' },
    { x: '1', otel_scope_name: 'undici' },
  ]);
});

test('names that Prometheus cannot tell apart are one family', () => {
  expect(families(measured('one', 'a.b', {}), measured('two', 'a_b', {}))).toHaveLength(1);
});

test('of one name with two types, the first stays', () => {
  const found = families(measured('one', 'a', {}), measured('two', 'a', {}, DataPointType.GAUGE));
  expect(found).toHaveLength(1);
  expect(found[0].dataPoints).toHaveLength(1);
});

test('attributes that become one label are joined', () => {
  const [family] = families(measured('one', 'a', { 'k.v': 'x', k_v: 'y' }));
  expect(family.dataPoints[0].attributes).toEqual({ k_v: 'x;y', otel_scope_name: 'one' });
});

test("Curfew's own series carry no scope, and what was collected is left as it was", () => {
  const own = measured('@curfew/telemetry', 'curfew.a', { 'curfew.b': 'c' });
  const other = measured('http', 'curfew.a', {});
  const [family] = families(own, other);
  expect(family.dataPoints[0].attributes).toEqual({ 'curfew.b': 'c' });
  expect(own.metrics[0].dataPoints).toHaveLength(1);
});
