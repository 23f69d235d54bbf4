import { background, track, withCancel, withTimeout } from '@curfew/context';
import { hooks, subscribe } from '@curfew/context/spi';
import { install } from '@curfew/telemetry';
import { context, diag, ROOT_CONTEXT } from '@opentelemetry/api';
import { fail, foreignSpan } from './foreign-span';
import { figure, observe, type Observed } from './observed';
import { backendCancel, deadlineReceived } from './adapters';

let observed: Observed;
afterEach(() => observed.stop());

const errors = () => observed.errors();

test('a processor that is called after shutdown, with ended spans, or with what is none, throws nothing', async () => {
  observed = observe();
  const { spanProcessor } = observed.telemetry;
  const [ctx, cancel] = withCancel(background());
  const span = observed.tracer.startSpan('open', {}, ctx);
  await spanProcessor.shutdown();
  await spanProcessor.shutdown();
  spanProcessor.onStart(foreignSpan(), ctx);
  spanProcessor.onEnd({});
  cancel('why');
  // What began before is settled all the same.
  span.end();
  expect(figure(observed.telemetry, 'curfew.operation.active')).toBe(0);
  expect(figure(observed.telemetry, 'curfew.cancel.settle.duration')).toBe(1);
  expect(errors()).toBe(0);
});

test('a processor that is handed nonsense counts an error and throws none', () => {
  observed = observe();
  const { spanProcessor } = observed.telemetry;
  const [ctx] = withCancel(background());
  spanProcessor.onStart({} as never, ctx);
  spanProcessor.onStart(foreignSpan({ spanContext: fail('no ids') }), ctx);
  spanProcessor.onStart(foreignSpan(), undefined as never);
  expect(errors()).toBe(3);
  expect(figure(observed.telemetry, 'curfew.operation.active')).toBe(0);
});

test('hooks that throw, all of them, are counted, and neither figures nor outcomes differ', () => {
  observed = observe();
  const { telemetry, clock } = observed;
  const stop = subscribe({
    contextStarted: fail('started'),
    contextEnded: fail('ended'),
    cancellationDelivered: fail('delivered'),
    operationBegun: fail('begun'),
    operationSettled: fail('settled'),
    chainBroken: fail('broken'),
    callRefused: fail('refused'),
  });
  const stops = [stop, deadlineReceived.listen(fail('received')), backendCancel.listen(fail('backend'))];
  const [ctx] = withTimeout(background(), 50, { name: 'safe' });
  void track(ctx, new Promise(() => undefined));
  clock.advance(50);
  context.with(withCancel(background())[0], () => observed.tracer.startSpan('root', {}, ROOT_CONTEXT).end());
  deadlineReceived.tell?.({ source: 'grpc-timeout', outcome: 'ok', remaining: 5 });
  hooks.callRefused?.({ source: 'http.client' });
  backendCancel.tell?.({ system: 'postgresql', outcome: 'canceled', duration: 5 });
  for (const each of stops) each();
  expect(ctx.err()?.name).toBe('TimeoutError');
  expect(errors()).toBe(9);
  expect(figure(telemetry, 'curfew.context.ended', { 'curfew.context.outcome': 'deadline_exceeded' })).toBe(
    1,
  );
  expect(figure(telemetry, 'curfew.chain.breaks')).toBe(1);
});

test.each<[string, () => void]>([
  ['a logger', () => undefined],
  [
    'a diag logger',
    () =>
      diag.setLogger({
        error: fail('e'),
        warn: fail('w'),
        info: fail('i'),
        debug: fail('d'),
        verbose: fail('v'),
      }),
  ],
])(
  '%s that throws does so in none of our timers, and does not keep what comes after it from being told',
  (_, use) => {
    observed = observe();
    observed.telemetry.uninstall();
    const log: string[] = [];
    const telemetry = install({
      orphanReportAfter: 5000,
      lingerAfter: 20_000,
      loggerProvider: {
        getLogger: () => ({
          emit({ eventName }: { eventName: string }) {
            log.push(eventName);
            throw new Error('no log');
          },
        }),
      },
    });
    use();
    try {
      const [ctx, cancel] = withCancel(background());
      withCancel(background(), { name: 'forgotten' });
      void track(ctx, new Promise(() => undefined));
      cancel('why');
      observed.clock.advance(60_000);
    } finally {
      diag.disable();
    }
    expect(log).toEqual(['curfew.orphan.running', 'curfew.context.lingering']);
    telemetry.uninstall();
  },
);

test('nothing that telemetry arms keeps the process, and uninstalling clears it all', () => {
  observed = observe({ telemetry: { orphanGrace: 5000, orphanReportAfter: 60_000 } });
  const { clock, telemetry } = observed;
  const [ctx, cancel] = withCancel(background());
  void track(ctx, new Promise(() => undefined));
  cancel('why');
  expect(clock.timers.length).toBeGreaterThan(0);
  expect(clock.timers.filter(({ ref }) => ref)).toEqual([]);
  telemetry.uninstall();
  expect(clock.timers).toEqual([]);
});
