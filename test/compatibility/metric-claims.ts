import { fromExposition, fromOtlp, type Figures } from './figures';
import type { ReceivedPoint } from './received';
import { runProgram, type Finished, type Installation } from './run-program';

const DELTA = 1;
const CUMULATIVE = 2;

/** The figures of the program, counted by hand: after its first round, and what came with the second. */
const COUNTED: readonly [series: string, first: number, then: number][] = [
  ['curfew_context_ended_total{curfew_context_name=job,curfew_context_outcome=completed}', 3, 1],
  ['curfew_context_ended_total{curfew_context_name=search,curfew_context_outcome=canceled}', 2, 0],
  ['curfew_context_ended_total{curfew_context_name=page,curfew_context_outcome=canceled}', 2, 0],
  ['curfew_context_ended_total{curfew_context_name=price,curfew_context_outcome=deadline_exceeded}', 1, 0],
  ['curfew_context_ended_total{curfew_context_name=legacy,curfew_context_outcome=deadline_exceeded}', 1, 0],
  ['curfew_context_duration_seconds_count{curfew_context_outcome=completed}', 3, 1],
  ['curfew_context_duration_seconds_bucket{curfew_context_outcome=completed,le=0.01}', 0, 0],
  ['curfew_context_duration_seconds_bucket{curfew_context_outcome=completed,le=0.05}', 3, 1],
  ['curfew_context_duration_seconds_bucket{curfew_context_outcome=completed,le=Infinity}', 3, 1],
  ['curfew_cancel_fanout_sum{curfew_cancel_reason=canceled}', 2, 0],
  [
    'curfew_orphan_operations_total{curfew_cancel_reason=deadline_exceeded,curfew_operation_kind=internal}',
    1,
    0,
  ],
];

/** What is claimed of the figures, whichever way they are read, for one line of the SDK. */
export function claimMetrics(find: () => Installation): void {
  let finished: Finished;
  beforeAll(async () => {
    finished = await runProgram(find(), 'metrics.cjs');
  });

  /** The exports of one temporality, in order: cumulative sums tell which reader it was. */
  const exports = (temporality: number): readonly ReceivedPoint[][] =>
    finished.received.metrics
      .map((points) => points.filter(({ metric }) => metric.startsWith('curfew.')))
      .filter((points) => points.find(({ kind }) => kind === 'sum')?.temporality === temporality);
  const text = (round: number, way: string): Figures => fromExposition(finished.output.rounds[round][way]);

  test('OTLP, OpenTelemetry’s Prometheus exporter and prom-client show the same series with the same figures', () => {
    expect(finished.output.warnings).toEqual([]);
    for (const round of [0, 1]) {
      const figures = fromOtlp(exports(CUMULATIVE)[round] ?? []);
      expect(Object.keys(figures).length).toBeGreaterThan(100);
      expect(text(round, 'prometheus')).toEqual(figures);
      expect(text(round, 'promClient')).toEqual(figures);
    }
  });

  test('they are the figures counted by hand', () => {
    for (const [series, first, then] of COUNTED) {
      expect([series, text(0, 'prometheus')[series]]).toEqual([series, first]);
      expect([series, text(1, 'prometheus')[series]]).toEqual([series, first + then]);
    }
  });

  test('a reader of deltas gets what came since, and gauges as they are', () => {
    const [first, then] = exports(DELTA).map(fromOtlp) as [Figures, Figures];
    for (const [series, before, since] of COUNTED) {
      expect([series, first[series], then[series]]).toEqual([series, before, since]);
    }
    const active = 'curfew_context_active{curfew_context_name=live}';
    expect([first[active], then[active]]).toEqual([1, 1]);
  });
}
