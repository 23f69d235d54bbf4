// An adapter that nobody knew of when the core, telemetry and the dashboards were written: a queue, made of what they
// offer to everybody. Nothing of theirs is edited for it.
import { background, onEnd, type CancelContext } from '@curfew/context';
import { adapterEvent, beginOperation, end, hooks, retire, withLimit } from '@curfew/context/spi';
import { cancellationArrived, deadlineReader } from '@curfew/propagation';
import { install, type Telemetry } from '@curfew/telemetry';

interface Message {
  readonly queue: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** The adapter: an origin, a boundary and an event of its own, each in its own words. */
const redelivered = adapterEvent<{ queue: string; attempt: number }>('queue.redelivered');
const stopped = adapterEvent<{ system: string; outcome: string; duration: number }>('backend.cancel');
const read = deadlineReader({ headers: ['x-queue-timeout-ms'] });

function consume({ headers }: Message, handle: (ctx: CancelContext) => void) {
  const { remaining = Infinity } = read(headers);
  if (remaining <= 0) {
    hooks.callRefused?.({ source: 'queue' });
    return undefined;
  }
  const [ctx] = withLimit(background(), remaining, { name: 'queue.consumer' });
  const operation = beginOperation(ctx, { name: 'consume', kind: 'message' });
  handle(ctx);
  return {
    acknowledge() {
      operation?.settle();
      retire(ctx);
    },
    /** The broker took the message back, and told so `late` ms after. */
    withdraw(late: number) {
      end(ctx, { origin: 'broker_withdrew', automatic: true });
      cancellationArrived.tell?.({ boundary: 'queue', reason: 'canceled', duration: late, ctx });
      operation?.settle();
    },
    redeliver: (attempt: number) => redelivered.tell?.({ queue: 'orders', attempt }),
    stopServer: () => stopped.tell?.({ system: 'redis', outcome: 'canceled', duration: 3 }),
  };
}

let telemetry: Telemetry;
beforeEach(() => void (telemetry = install()));
afterEach(() => telemetry.uninstall());

/** The points of a metric, each as its attributes and its value or count. */
function points(metric: string): [attributes: Record<string, string>, count: number][] {
  return (telemetry.snapshot().get(metric)?.points ?? []).map((point) => [
    { ...point.attributes },
    'value' in point ? point.value : point.count,
  ]);
}

const MESSAGE: Message = { queue: 'orders', headers: { 'x-queue-timeout-ms': '60000' } };

test('what a new adapter ends, crosses, receives, refuses and stops is told in its own words', () => {
  const ended: unknown[] = [];
  consume(MESSAGE, (ctx) => onEnd(ctx, () => ended.push(ctx.err()?.name)))?.withdraw(12);
  consume(MESSAGE, () => undefined)?.acknowledge();
  consume({ ...MESSAGE, headers: { 'x-queue-timeout-ms': '0' } }, () => undefined);
  consume(MESSAGE, () => undefined)?.stopServer();
  expect(ended).toEqual(['AbortError']);

  const canceled = { 'curfew.context.name': 'queue.consumer', 'curfew.cancel.reason': 'canceled' };
  expect(points('curfew.context.cancellations')).toContainEqual([
    { ...canceled, 'curfew.cancel.origin': 'broker_withdrew' },
    1,
  ]);
  expect(points('curfew.cancel.propagation.duration')).toContainEqual([
    { 'curfew.cancel.reason': 'canceled', 'curfew.propagation.boundary': 'queue' },
    1,
  ]);
  expect(points('curfew.propagation.inbound')).toContainEqual([
    { 'curfew.source': 'x-queue-timeout-ms', 'curfew.propagation.outcome': 'ok' },
    4,
  ]);
  expect(points('curfew.deadline.rejections')).toContainEqual([{ 'curfew.source': 'queue' }, 1]);
  expect(points('curfew.backend.cancel.duration')).toContainEqual([
    { 'db.system.name': 'redis', 'curfew.backend.cancel.outcome': 'canceled' },
    1,
  ]);
});

test('an event that telemetry knows nothing of reaches whoever listens, and costs nobody anything', () => {
  const consumer = consume(MESSAGE, () => undefined);
  consumer?.redeliver(1);
  const told: unknown[] = [];
  const stop = redelivered.listen((event) => told.push(event));
  consumer?.redeliver(2);
  stop();
  consumer?.redeliver(3);
  expect(told).toEqual([{ queue: 'orders', attempt: 2 }]);
  consumer?.acknowledge();
});

test('eight origins and boundaries that nobody knows keep their names, and the ninth is _OTHER', () => {
  for (let number = 1; number <= 9; number++) {
    const [ctx] = withLimit(background(), Infinity, { name: 'tenant' });
    end(ctx, { origin: `tenant_${number}`, reason: 'deadline_exceeded' });
    cancellationArrived.tell?.({ boundary: `wire_${number}`, reason: 'canceled', duration: 1 });
  }
  const named = (prefix: string) => Array.from({ length: 8 }, (_, index) => `${prefix}_${index + 1}`);
  const origins = points('curfew.context.cancellations').map(([it]) => it['curfew.cancel.origin']);
  expect(origins).toEqual(expect.arrayContaining([...named('tenant'), '_OTHER']));
  const boundaries = points('curfew.cancel.propagation.duration').map(
    ([it]) => it['curfew.propagation.boundary'],
  );
  expect(boundaries).toEqual(expect.arrayContaining([...named('wire'), '_OTHER']));
  expect([...origins, ...boundaries]).not.toEqual(expect.arrayContaining(['tenant_9']));
});
