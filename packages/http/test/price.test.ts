import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import http, { ClientRequest } from 'node:http';
import { context } from '@opentelemetry/api';
import { background, withCancel, withTimeout } from '@curfew/context';
import { instrumentHttpRequest, request } from '@curfew/http';
import { useCountingClock } from '../../../test/counting-clock';
import { closeAll, event, listen, useContextManager } from './servers';

// What a request costs, as far as it can be counted: such figures are the same on every machine.

interface Price {
  readonly listeners: Readonly<Record<string, number>>;
  /** Async resources of the whole process, by type. */
  readonly resources: Readonly<Record<string, number>>;
  /** Readings of the clock. */
  readonly readings: number;
  /** Timers of deadlines that all requests so far have armed. */
  readonly timers: number;
  /** Entries put into WeakMaps. */
  readonly weak: number;
  readonly name: string;
}

/** In a process of its own, since OpenTelemetry's instrumentation patches node:http for good. */
function priceOf(way: 'alone' | 'with contexts' | 'with a timeout'): Price {
  const fixture = join(__dirname, 'fixtures', 'price.cjs');
  const { stdout, stderr } = spawnSync(process.execPath, [fixture, way], {
    encoding: 'utf8',
    timeout: 20_000,
  });
  expect(stderr).toBe('');
  return JSON.parse(stdout) as Price;
}

describe('a request under OpenTelemetry and telemetry', () => {
  const { name: _, ...alone } = priceOf('alone');
  const listeners = { ...alone.listeners, close: (alone.listeners['close'] ?? 0) + 1 };

  test('costs one listener and two readings of the clock, no async resource, timer or entry in a WeakMap', () => {
    const { name, ...price } = priceOf('with contexts');
    expect(price).toEqual({ ...alone, listeners, readings: 2 });
    // That its parent was put into words, nobody has asked for.
    expect(name).toMatch(/^context\.Background\.WithoutCancel\.WithValue\(@curfew\/propagation/);
  });

  test('costs two readings more under a timeout, whose timer and its last look serve all requests', () => {
    const { name, ...price } = priceOf('with a timeout');
    expect(price).toEqual({ ...alone, listeners, readings: 4, timers: 2 });
    expect(name).toMatch(/^context\.Background\.WithoutCancel\.WithValue\(@curfew\/propagation/);
  });
});

describe('an outgoing request', () => {
  const undo: (() => unknown)[] = [];
  afterEach(async () => {
    await closeAll();
    for (const each of undo.splice(0).reverse()) each();
  });

  /** Counts readings of the clock, timers of ours, and how often our header is written, while a request is made. */
  async function countWhile(make: () => ClientRequest) {
    const counted = { readings: 0, timers: 0, written: 0 };
    const setHeader = jest.spyOn(ClientRequest.prototype, 'setHeader');
    const restore = useCountingClock(counted);
    const made = make().end();
    const [response] = (await event(made, 'response')) as [http.IncomingMessage];
    response.resume();
    await event(made, 'close');
    counted.written = setHeader.mock.calls.filter(([name]) => name === 'x-request-timeout-ms').length;
    setHeader.mockRestore();
    restore();
    return counted;
  }

  test.each(['without a change of code', 'given its context'])(
    '%s, writes its budget once and reads the clock as it looks, as it writes that, and as it begins to listen',
    async (way) => {
      const url = await listen((_, response) => response.end('ok'));
      undo.push(useContextManager());
      if (way === 'without a change of code') undo.push(instrumentHttpRequest());
      const [live] = withCancel(background());
      const [limited, release] = withTimeout(background(), 3_600_000);
      undo.push(release);
      for (const [ctx, counts] of [
        [live, { readings: 0, timers: 0, written: 0 }],
        [limited, { readings: 3, timers: 0, written: 1 }],
      ] as const) {
        const make = () =>
          way === 'given its context' ? request(ctx, url) : context.with(ctx, () => http.request(url));
        expect(await countWhile(make)).toEqual(counts);
      }
    },
  );
});
