import { createServer, connect, type AddressInfo } from 'node:net';
import { startDemo, type Demo } from './demo-process';
import { until } from './services';

jest.setTimeout(120_000);

/** Tests must not depend on which ports are free. */
const ANY_PORT = ['--gateway-port', '0', '--metrics-port', '0'];

const RUNNING = /Clients|00:0\d \|/;

let demo: Demo | undefined;
afterEach(() => demo?.dispose());

function start(args: readonly string[], env?: Readonly<Record<string, string>>): Demo {
  demo?.dispose();
  demo = startDemo(args, env);
  return demo;
}

/** Every port that the demo said it listens on. */
function portsOf(text: string): number[] {
  return [...new Set([...text.matchAll(/http:\/\/127\.0\.0\.1:(\d+)/g)].map((match) => Number(match[1])))];
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

async function expectNothingLeft({ processes, leftovers, text }: Demo): Promise<void> {
  await until(() => processes().length === 0);
  await until(() => leftovers().length === 0);
  for (const port of portsOf(text())) expect([port, await listens(port)]).toEqual([port, false]);
}

/** One line that names what is wrong and what to do, and nothing else. */
function expectOneLine(text: string, pattern: RegExp): void {
  expect(text.trim().split('\n').at(-1)).toMatch(pattern);
  expect(text).not.toMatch(/^\s+at /m);
}

describe('the demo leaves nothing behind', () => {
  test('when it is killed by SIGKILL', async () => {
    const running = start(ANY_PORT);
    await running.says(RUNNING);
    running.child.kill('SIGKILL');
    await running.exited;
    await expectNothingLeft(running);
  });

  test('when it is killed while it starts', async () => {
    const running = start(ANY_PORT);
    await running.says(/Starting/);
    running.child.kill('SIGKILL');
    await running.exited;
    await expectNothingLeft(running);
  });

  test('when it is interrupted while it starts, which is no failure', async () => {
    const running = start(ANY_PORT);
    await running.says(/Starting/);
    running.child.kill('SIGINT');
    expect(await running.exited).toEqual({ code: 0, signal: null });
    await expectNothingLeft(running);
  });

  test.each(['SIGINT', 'SIGTERM'] as const)(
    'when it gets %s; it prints the summary and exits with 0',
    async (signal) => {
      const running = start(ANY_PORT);
      await running.says(RUNNING);
      running.child.kill(signal);
      expect(await running.exited).toEqual({ code: 0, signal: null });
      expect(running.text()).toMatch(/^ {2}completed +\d+ +\d+ +\d+$/m);
      await expectNothingLeft(running);
    },
  );
});

describe('what cannot go on is told in one line, with an exit code', () => {
  test('a port that was asked for and is taken', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const running = start(['--gateway-port', String(port), '--metrics-port', '0']);
    expect((await running.exited).code).toBe(1);
    expectOneLine(running.text(), new RegExp(`port ${port} for gateway is taken: .*--gateway-port`));
    await expectNothingLeft(running);
    server.close();
  });

  test('an unknown flag, before anything is started', async () => {
    const running = start(['--second', '3']);
    expect((await running.exited).code).toBe(1);
    expect(running.text()).toBe('curfew demo: unknown flag --second: --help lists the flags\n');
  });

  test('a PostgreSQL that will not start', async () => {
    const running = start(ANY_PORT, { TMPDIR: '/nonexistent' });
    expect((await running.exited).code).toBe(1);
    expectOneLine(running.text(), /PostgreSQL/);
  });

  test('a service without its metrics', async () => {
    const running = start(ANY_PORT, { OTEL_SDK_DISABLED: 'true' });
    expect((await running.exited).code).toBe(1);
    expectOneLine(running.text(), /no metrics at .*OTEL_SDK_DISABLED/);
    await expectNothingLeft(running);
  });
});

describe('what can go on does', () => {
  test('a service that is killed is reported, and the rest runs on to the summary', async () => {
    const running = start([...ANY_PORT, '--seconds', '8']);
    const [, pid] = await running.says(/orders .* pid (\d+)/);
    await running.says(RUNNING);
    process.kill(Number(pid), 'SIGKILL');
    await running.says(/^orders ended \(SIGKILL\); the rest goes on without it$/m);
    expect((await running.exited).code).toBe(0);
    expect(running.text()).toMatch(/^ {2}completed +\d+ +down +\d+$/m);
    await expectNothingLeft(running);
  });

  test('without a Collector at the address given, it runs its time and exits with 0', async () => {
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1', OTEL_BSP_SCHEDULE_DELAY: '100' };
    const running = start([...ANY_PORT, '--seconds', '4', '--rate', '40'], env);
    expect((await running.exited).code).toBe(0);
    expect(running.text()).toMatch(/^Clients +\d+ sent: .* 0 failed$/m);
    expect(running.text()).not.toMatch(/^\w+: +at /m);
    await expectNothingLeft(running);
  });
});

test('all that the scenarios are for is in the summary', async () => {
  const running = start([...ANY_PORT, '--seconds', '8', '--rate', '30']);
  expect((await running.exited).code).toBe(0);
  const rows = new Map(
    [...running.text().matchAll(/^ {2}(\S.*?) {2,}(\S.*)$/gm)].map((match) => [
      match[1],
      match[2]?.split(/ {2,}/),
    ]),
  );
  const numbers = (label: string) => rows.get(label)?.map(Number) ?? [];
  for (const label of ['completed', 'canceled', 'deadline exceeded', 'canceled · client_disconnect']) {
    expect([label, numbers(label).length, numbers(label).every((count) => count > 0)]).toEqual([
      label,
      3,
      true,
    ]);
  }
  expect(rows.get('orphans, now / in all')?.[1]).toMatch(/^\d+ \/ [1-9]\d*$/);
  expect(numbers('lingering')).toEqual([0, 1, 0]);
  expect(numbers('broken chains')[0]).toBeGreaterThan(0);
  expect(running.text()).toMatch(/^Clients +\d+ sent: \d+ answered, \d+ hung up, \d+ got 504, 0 failed$/m);
});
