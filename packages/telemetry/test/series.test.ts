import { active, background, scope, todo, track, withCancel, withTimeout } from '@curfew/context';
import { end, hooks, retire } from '@curfew/context/spi';
import type { SpanKind } from '@opentelemetry/api';
import { context, ROOT_CONTEXT } from '@opentelemetry/api';
import { scrape } from './exposition';
import { observe, type Observed } from './observed';
import { backendCancel, deadlineReceived } from './adapters';

let observed: Observed;
beforeEach(() => (observed = observe()));
afterEach(() => observed.stop());

/** Lives that end in each of the usual ways, under one name. */
function live(name: string): void {
  const { clock } = observed;
  withCancel(background(), { name })[1]();
  retire(withCancel(background(), { name })[0]);
  withCancel(background(), { name })[1]('why');
  end(withCancel(background(), { name })[0], { origin: 'client_disconnect' });
  withTimeout(background(), 5, { name });
  clock.advance(5);
  const [late] = withTimeout(background(), 5, { name });
  clock.block(6);
  late.err();
}

/** Work of a kind that is left behind by a cancel and by a deadline, and that settles or does not. */
function leaveBehind(kind: SpanKind): void {
  const [canceled, cancel] = withCancel(background(), { name: 'request' });
  const [late] = withTimeout(background(), 5, { name: 'request' });
  const spans = [canceled, late].flatMap((ctx) =>
    [1, 2].map(() => observed.tracer.startSpan('work', { kind }, ctx)),
  );
  cancel('why');
  observed.clock.advance(5);
  spans[0]?.end();
  spans[2]?.end();
}

/** What the HTTP and PostgreSQL adapters tell in a day. */
function tellOfAdapters(): void {
  for (const source of ['x-request-timeout-ms', 'grpc-timeout', 'connect-timeout-ms']) {
    for (const outcome of ['ok', 'none', 'malformed', 'too_large'] as const) {
      deadlineReceived.tell?.({ source, outcome, remaining: outcome === 'ok' ? 250 : undefined });
    }
  }
  for (const source of ['http.server', 'http.client', 'postgresql']) hooks.callRefused?.({ source });
  for (const outcome of ['canceled', 'completed', 'failed', 'timed_out'] as const) {
    backendCancel.tell?.({ system: 'postgresql', outcome, duration: 5 });
  }
}

test('a busy service with all names in use stays under 900 series, buckets included', async () => {
  const { clock, tracer } = observed;
  for (const name of ['http.server', ...Array.from({ length: 59 }, (_, index) => `operation-${index}`)]) {
    live(name);
    withCancel(background(), { name });
  }
  for (const kind of [0, 1, 2, 3, 4] as SpanKind[]) leaveBehind(kind);
  tellOfAdapters();
  const [request] = withCancel(background(), { name: 'http.server' });
  context.with(request, () => {
    withCancel(background());
    withCancel(todo());
    tracer.startSpan('root', {}, ROOT_CONTEXT).end();
  });
  await context.with(request, () => scope({ timeout: 1000 }, async () => active().err()));
  void track(request, new Promise(() => undefined));
  clock.advance(120_000);

  const samples = await scrape(observed.telemetry);
  const families = new Map<string, number>();
  for (const key of samples.keys()) {
    const family = key.slice(0, key.indexOf('{')).replace(/_(bucket|sum|count)$/, '');
    families.set(family, (families.get(family) ?? 0) + 1);
  }
  const table = [...families].sort(([, a], [, b]) => b - a).map(([family, count]) => `${count} ${family}`);
  expect({
    within: samples.size < 900,
    table: samples.size < 900 ? [] : [`${samples.size} in all`, ...table],
  }).toEqual({
    within: true,
    table: [],
  });
  // Nothing that a service does every day may be missing from the count.
  expect([...families.keys()].sort()).toEqual(
    [
      'curfew_backend_cancel_duration_seconds',
      'curfew_build_info',
      'curfew_cancel_fanout',
      'curfew_cancel_propagation_duration_seconds',
      'curfew_cancel_settle_duration_seconds',
      'curfew_chain_breaks_total',
      'curfew_context_active',
      'curfew_context_cancellations_total',
      'curfew_context_duration_seconds',
      'curfew_context_ended_total',
      'curfew_context_lingering',
      'curfew_context_oldest_age_seconds',
      'curfew_deadline_lateness_seconds',
      'curfew_deadline_rejections_total',
      'curfew_deadline_remaining_seconds',
      'curfew_operation_active',
      'curfew_orphan_active',
      'curfew_orphan_operations_total',
      'curfew_orphan_time_seconds_total',
      'curfew_process_start_time_seconds',
      'curfew_propagation_inbound_total',
      'curfew_sdk_guarded_total',
      'curfew_sdk_hook_errors_total',
      'curfew_sdk_overflows_total',
    ].sort(),
  );
});
