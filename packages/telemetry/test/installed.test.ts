import { background, track, withCancel } from '@curfew/context';
import { subscribe } from '@curfew/context/spi';
import { install, installed, type Telemetry } from '@curfew/telemetry';
import { diag, DiagLogLevel } from '@opentelemetry/api';
import { NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import { useManualClock, type ManualClock } from '../../../test/manual-clock';
import { figure, risingFigures } from './observed';

let clock: ManualClock;
let restore: () => void;
beforeEach(() => ({ clock, restore } = useManualClock()));
afterEach(() => {
  installed()?.uninstall();
  restore();
});

const ended = (telemetry: Telemetry, name?: string) =>
  figure(telemetry, 'curfew.context.ended', name === undefined ? {} : { 'curfew.context.name': name });
const active = (telemetry: Telemetry) => figure(telemetry, 'curfew.context.active');

test('a context that outlives an uninstall and the next install ends as itself, and is no other of the new telemetry', () => {
  install();
  const [, cancelOld] = withCancel(background(), { name: 'old' });
  installed()?.uninstall();
  const telemetry = install();
  const [, cancelNew] = withCancel(background(), { name: 'new' });
  cancelOld('why');
  expect([ended(telemetry, 'old'), ended(telemetry, 'new'), active(telemetry)]).toEqual([1, 0, 1]);
  cancelNew('why');
  expect([ended(telemetry, 'new'), active(telemetry)]).toEqual([1, 0]);
  // Two that live now have a record each.
  withCancel(background(), { name: 'third' });
  withCancel(background(), { name: 'fourth' });
  expect(active(telemetry)).toBe(2);
});

test('work that outlives an uninstall and the next install settles no other work', async () => {
  install();
  const finish: (() => void)[] = [];
  const begin = () => {
    const [ctx, cancel] = withCancel(background());
    void track(ctx, new Promise<void>((resolve) => finish.push(resolve)));
    return cancel;
  };
  const cancelOld = begin();
  installed()?.uninstall();
  const telemetry = install();
  const cancelNew = begin();
  cancelOld('why');
  finish[0]?.();
  await Promise.resolve();
  await Promise.resolve();
  expect(figure(telemetry, 'curfew.operation.active')).toBe(1);
  cancelNew('why');
  clock.advance(1000);
  expect(figure(telemetry, 'curfew.orphan.operations')).toBe(1);
});

test('spans of a context that outlives an uninstall are not taken for those of another', async () => {
  const old = install();
  const provider = new NodeTracerProvider({
    spanProcessors: [
      { ...old.spanProcessor, onStart: (span, ctx) => installed()?.spanProcessor.onStart(span, ctx) },
    ],
  });
  const tracer = provider.getTracer('test');
  const [oldCtx] = withCancel(background());
  old.uninstall();
  const telemetry = install();
  const [, cancelNew] = withCancel(background());
  const span = tracer.startSpan('of the old one', {}, oldCtx);
  cancelNew('why');
  clock.advance(1000);
  expect(figure(telemetry, 'curfew.orphan.operations')).toBe(0);
  span.end();
  await provider.shutdown();
});

test('figures that were collected stay readable after an uninstall and move no more; the next start from zero', async () => {
  const old = install();
  const producer = old.producer();
  const [, cancel] = withCancel(background(), { name: 'seen' });
  cancel('why');
  // A listener's exception belongs to whom it happened under.
  const stop = subscribe({
    contextStarted() {
      throw new Error('mine');
    },
  });
  withCancel(background())[1]();
  stop();
  const provider = new NodeTracerProvider({ spanProcessors: [old.spanProcessor] });
  const [ctx] = withCancel(background());
  old.uninstall();
  const told = risingFigures(old.snapshot());
  const collected = JSON.stringify(
    ((await producer.collect()) as { resourceMetrics: object }).resourceMetrics,
  );
  expect(collected).toContain('"curfew.context.name":"seen"');
  const telemetry = install();
  expect(ended(telemetry)).toBe(0);
  expect(figure(telemetry, 'curfew.sdk.hook.errors')).toBe(0);
  withCancel(background())[1]('why');
  provider.getTracer('test').startSpan('late', {}, ctx);
  expect(figure(old, 'curfew.operation.active')).toBe(0);
  expect(risingFigures(old.snapshot())).toEqual(told);
  expect(ended(telemetry)).toBe(1);
  await provider.shutdown();
});

test('after an uninstall nothing is armed any more, whatever the processor that stayed registered is told', async () => {
  const armed = clock.timers.length;
  const telemetry = install();
  const provider = new NodeTracerProvider({ spanProcessors: [telemetry.spanProcessor] });
  const [ctx, cancel] = withCancel(background());
  const span = provider.getTracer('test').startSpan('open', {}, ctx);
  cancel('why');
  telemetry.uninstall();
  telemetry.uninstall();
  provider.getTracer('test').startSpan('late', {}, ctx);
  span.end();
  expect(clock.timers).toHaveLength(armed);
  await provider.shutdown();
});

test('a second install is told of once, changes nothing, and both are one; an uninstall makes room for another', () => {
  const warnings: string[] = [];
  const logger = {
    error() {},
    info() {},
    debug() {},
    verbose() {},
    warn: (text: string) => void warnings.push(text),
  };
  diag.setLogger(logger, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true });
  const first = install({ maxNames: 1 });
  expect([install({ maxNames: 2 }), installed()]).toEqual([first, first]);
  diag.disable();
  expect(warnings).toEqual([expect.stringContaining('installed already')]);
  for (const name of ['a', 'b']) withCancel(background(), { name })[1]();
  expect(ended(first, '_OTHER')).toBe(1);
  first.uninstall();
  expect(installed()).toBeUndefined();
  expect(install()).not.toBe(first);
  // What is gone uninstalls nobody else.
  first.uninstall();
  expect(installed()).toBeDefined();
});
