import { figuresOf } from '../src/board/figures';
import { parseExposition } from '../src/board/exposition';

describe('the figures of a service', () => {
  test('a service that has done nothing yet has zeros, and no quantiles', () => {
    expect(figuresOf([])).toEqual({
      completed: 0,
      canceled: 0,
      deadlineExceeded: 0,
      live: 0,
      cancellations: new Map(),
      fanout: 0,
      propagation: { p50: undefined, p99: undefined },
      settle: { p50: undefined, p99: undefined },
      orphansNow: 0,
      orphans: 0,
      wasted: 0,
      lingering: 0,
      breaks: 0,
    });
  });

  test('they are read from the names that a scrape carries, literally', () => {
    const text = `
curfew_context_active{curfew_context_name="http.server"} 2
curfew_context_ended_total{curfew_context_name="http.server",curfew_context_outcome="completed"} 10
curfew_context_ended_total{curfew_context_name="quote",curfew_context_outcome="completed"} 1
curfew_context_ended_total{curfew_context_name="http.server",curfew_context_outcome="canceled"} 3
curfew_context_ended_total{curfew_context_name="http.server",curfew_context_outcome="deadline_exceeded"} 4
curfew_context_cancellations_total{curfew_context_name="a",curfew_cancel_reason="canceled",curfew_cancel_origin="caller"} 1
curfew_context_cancellations_total{curfew_context_name="b",curfew_cancel_reason="canceled",curfew_cancel_origin="caller"} 2
curfew_context_cancellations_total{curfew_context_name="b",curfew_cancel_reason="canceled",curfew_cancel_origin="signal"} 0
curfew_cancel_fanout_sum{curfew_cancel_reason="canceled"} 6
curfew_cancel_propagation_duration_seconds_bucket{le="0.001"} 1
curfew_cancel_propagation_duration_seconds_bucket{le="+Inf"} 1
curfew_cancel_settle_duration_seconds_bucket{le="0.001"} 0
curfew_cancel_settle_duration_seconds_bucket{le="0.005"} 1
curfew_cancel_settle_duration_seconds_bucket{le="+Inf"} 1
curfew_orphan_active{curfew_operation_kind="internal"} 1
curfew_orphan_operations_total{curfew_operation_kind="internal"} 5
curfew_orphan_time_seconds_total{curfew_operation_kind="internal"} 7.5
curfew_context_lingering{curfew_context_name="report"} 8
curfew_chain_breaks_total{curfew_break_cause="background"} 9
`;
    expect(figuresOf(parseExposition(text))).toEqual({
      completed: 11,
      canceled: 3,
      deadlineExceeded: 4,
      live: 2,
      cancellations: new Map([['canceled · caller', 3]]),
      fanout: 6,
      propagation: { p50: 0.0005, p99: 0.00099 },
      settle: { p50: 0.003, p99: 0.00496 },
      orphansNow: 1,
      orphans: 5,
      wasted: 7.5,
      lingering: 8,
      breaks: 9,
    });
  });
});
