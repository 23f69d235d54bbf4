import { spawnSync } from 'node:child_process';
import { total } from './exposition';
import { parsePromText } from './prom-client-text';

test('a cluster of two workers tells the sums of both, and keeps the law; its oldest age and start are those of one', () => {
  const fixture = require.resolve('./fixtures/prom-client-cluster.cjs');
  const { stdout, stderr, status } = spawnSync(process.execPath, [fixture], {
    encoding: 'utf8',
    timeout: 20_000,
  });
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
  const told = JSON.parse(stdout) as { cluster: string; workers: string[] };
  const cluster = parsePromText(told.cluster, 'plain');
  const workers = told.workers.map((text) => parsePromText(text, 'plain'));
  expect(workers).toHaveLength(2);

  const expected = new Map<string, number>();
  for (const { samples } of workers) {
    for (const [key, value] of samples) {
      const others = expected.get(key) ?? 0;
      const isOne = /^curfew_(context_oldest_age|process_start_time|build_info)/.test(key);
      expected.set(key, isOne ? Math.max(others, value) : others + value);
    }
  }
  expect(cluster.types).toEqual(workers[0]?.types);
  expect(new Map([...cluster.samples].sort())).toEqual(new Map([...expected].sort()));

  const { samples } = cluster;
  expect(total(samples, 'curfew_context_ended_total', 'name="both"')).toBe(15);
  expect(total(samples, 'curfew_context_ended_total')).toBe(60);
  expect(total(samples, 'curfew_context_ended_total')).toBe(
    total(samples, 'curfew_context_ended_total', 'outcome="completed"') +
      total(samples, 'curfew_context_cancellations_total') +
      total(samples, 'curfew_cancel_fanout_sum'),
  );
  expect(total(samples, 'curfew_context_active', 'name="open"')).toBe(2);
  // The second worker ran for 20 × 200 ms and 10 s.
  expect(total(samples, 'curfew_context_oldest_age_seconds')).toBe(14);
  expect(total(samples, 'curfew_process_start_time_seconds')).toBe(1_767_225_602);
  expect(total(samples, 'curfew_build_info')).toBe(1);
});
