import fc from 'fast-check';
import type { Context } from '@curfew/context';
import { hookErrors } from '@curfew/context/spi';
import { install, type Telemetry } from '@curfew/telemetry';
import { trace, type Span } from '@opentelemetry/api';
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node';
import { createNaive } from './naive-world';
import { play, scenarios } from './scenario';
import { seed } from './seed';
import { createCurfew, type Derived, type Tell, type World } from './world';

// The scenarios of properties.test.ts once more, observed: a span is open under each context, some of them until after
// its end, and all that is told and answered must be what the naive model says, which knows of no telemetry.

/** How many contexts ended in a scenario, by three accounts. */
interface Observation {
  readonly told: number;
  readonly counted: number;
  /** By the law of the figures: completed + cancellations + what they fanned out to. */
  readonly accounted: number;
  readonly errors: number;
}

let observation: Observation;

/** Curfew itself under telemetry, with the real SDK. */
function createObserved(tell: Tell): World<Context> {
  let told = 0;
  const world = createCurfew((event) => {
    if (event.startsWith('end ')) told++;
    tell(event);
  });
  const telemetry = install({ orphanGrace: 10, orphanReportAfter: 20, lingerAfter: 30 });
  const before = hookErrors();
  const provider = new NodeTracerProvider({
    spanProcessors: [telemetry.spanProcessor, new SimpleSpanProcessor(new InMemorySpanExporter())],
  });
  trace.setGlobalTracerProvider(provider);
  const tracer = provider.getTracer('scenario');
  const open: Span[] = [];

  /** Starts a span under what was derived, and ends one in three that are open. */
  function observed({ ctx, cancel }: Derived<Context>): Derived<Context> {
    open.push(tracer.startSpan('work', {}, ctx));
    if (open.length % 3 === 0) open.shift()?.end();
    return { ctx, cancel };
  }

  return {
    ...world,
    withCancel: (...args) => observed(world.withCancel(...args)),
    withTimeout: (...args) => observed(world.withTimeout(...args)),
    withSignal: (...args) => observed(world.withSignal(...args)),
    merge: (...args) => observed(world.merge(...args)),
    close() {
      observation = { told, errors: hookErrors() - before, ...accountsOf(telemetry) };
      telemetry.uninstall();
      trace.disable();
      world.close();
    },
  };
}

function accountsOf(telemetry: Telemetry): Pick<Observation, 'counted' | 'accounted'> {
  const snapshot = telemetry.snapshot();
  const sum = (name: string, of: (point: any) => number) =>
    (snapshot.get(name)?.points ?? []).reduce((total, point) => total + of(point), 0);
  const completed = ({ attributes, value }: any) =>
    attributes['curfew.context.outcome'] === 'completed' ? value : 0;
  return {
    counted: sum('curfew.context.ended', ({ value }) => value),
    accounted:
      sum('curfew.context.ended', completed) +
      sum('curfew.context.cancellations', ({ value }) => value) +
      sum('curfew.cancel.fanout', (point) => point.sum),
  };
}

test('installing telemetry changes nothing that is told or answered, and its own figures agree', async () => {
  await fc.assert(
    fc.asyncProperty(scenarios, async (steps) => {
      expect(await play(steps, createObserved)).toEqual(await play(steps, createNaive));
      const { told } = observation;
      expect(observation).toEqual({ told, counted: told, accounted: told, errors: 0 });
    }),
    { numRuns: Number(process.env.CURFEW_TEST_RUNS ?? 500), ...seed },
  );
});
