// Every way in which a request ends early, under OpenTelemetry's own instrumentations. What an exporter gets of it goes
// to the OTLP receiver at argv[2]; what OpenTelemetry complains of is printed. argv[3] says who patches `http.request`
// first, `curfew` or `stock`; with `bare` as argv[4] nobody corrects the spans.
'use strict';
const { once } = require('node:events');
const { context, SpanKind, trace } = require('@opentelemetry/api');
const { HttpInstrumentation } = require('@opentelemetry/instrumentation-http');
const { UndiciInstrumentation } = require('@opentelemetry/instrumentation-undici');
const { background, withCancel } = require('@curfew/context');
const { instrumentFetch, instrumentHttpRequest, instrumentServer, setAllowedHosts } = require('@curfew/http');
const { DeadlinePropagator } = require('@curfew/propagation');
const { install } = require('@curfew/telemetry');
const { CALLS } = require('./calls.cjs');
const { collectWarnings, otlpReader, startMetrics, startTracing } = require('./line.cjs');
const { useManualClock } = require('./manual-clock.cjs');
const { scenariosOf, SERVER_LIMIT } = require('./scenarios.cjs');
const { startService } = require('./service.cjs');

const [, , url, first, bare] = process.argv;

const clock = useManualClock();
const warnings = collectWarnings();
const telemetry = install();
const { plant } = instrumentServer({ timeout: SERVER_LIMIT });
const stopTracing = startTracing(url, {
  processors: bare === undefined ? [telemetry.spanProcessor] : [],
  propagators: [new DeadlinePropagator({ plant })],
});
const metrics = startMetrics([otlpReader(url, {})]);
if (first === 'curfew') instrumentHttpRequest();
new HttpInstrumentation();
new UndiciInstrumentation();
require('node:http');
if (first === 'stock') instrumentHttpRequest();
instrumentFetch();

const tracer = trace.getTracer('scenarios');

/** Makes one call in a trace of its own, whose root is called as the scenario. */
async function play(service, name, call, scenario) {
  const { head, told = false, refused = false, within = context.with.bind(context), end } = scenario;
  const root = tracer.startSpan(name, { root: true });
  const base = trace.setSpan(background(), root);
  const [ctx, cancel] = scenario.derive?.(base) ?? withCancel(base, { name: 'caller' });
  const restore = setAllowedHosts(told ? ['127.0.0.1'] : []);
  const served = refused ? [] : [once(service, 'reached'), once(service, 'closed')];
  const answered = new EventTarget();
  const headed = once(answered, 'head');
  const target = head === undefined ? service.url : `${service.url}/?head=${head}`;
  const over = within(ctx, () =>
    call(target, scenario.options, () => answered.dispatchEvent(new Event('head'))),
  );
  await served[0];
  if (head !== undefined) await headed;
  end?.({ cancel });
  await Promise.all([over, ...served]);
  cancel();
  root.end();
  restore();
}

/** A query that goes on for longer than the grace after its context has ended. */
function leaveOrphan() {
  const root = tracer.startSpan('an orphan', { root: true });
  const [ctx, cancel] = withCancel(trace.setSpan(background(), root), { name: 'caller' });
  const query = tracer.startSpan('query', { kind: SpanKind.CLIENT }, ctx);
  cancel('user left');
  clock.advance(3_000);
  query.end();
  root.end();
}

async function main() {
  const service = await startService();
  const started = [service];
  for (const [name, scenario] of Object.entries(scenariosOf(clock))) {
    for (const [how, call] of Object.entries(CALLS)) {
      // To a server of its own where none is to be reached: on a connection that is kept alive `fetch` sends at once.
      if (scenario.refused) started.push(await startService());
      await play(scenario.refused ? started.at(-1) : service, `${how}: ${name}`, call, scenario);
    }
  }
  leaveOrphan();
  for (const each of started) each.stop();
  await stopTracing();
  await metrics.shutdown();
  process.stdout.write(JSON.stringify({ warnings }));
}

void main();
