import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

interface Replay {
  readonly asked: readonly string[];
  readonly said: readonly string[];
  readonly log: readonly string[];
}

async function replay(mode: string): Promise<Replay> {
  const { stdout } = await run(process.execPath, [join(__dirname, 'fixtures', 'replay.cjs'), mode]);
  return JSON.parse(stdout) as Replay;
}

test('in observe mode every byte of every answer, and of every call, is what it is under OpenTelemetry alone', async () => {
  const alone = await replay('alone');
  const observed = await replay('observed');
  expect(alone.said.length).toBe(alone.asked.length);
  const differing = alone.asked.flatMap((asked, i) =>
    alone.said[i] === observed.said[i] ? [] : [{ asked, alone: alone.said[i], observed: observed.said[i] }],
  );
  expect(differing).toEqual([]);
  expect(observed.log).toEqual(alone.log);
  expect(alone.log).toEqual(Array(3).fill('left: 200 true true'));
});

test('the comparison sees what Curfew does where it is enforced', async () => {
  const alone = await replay('alone');
  const enforced = await replay('enforced');
  const differing = alone.asked.filter((_, i) => alone.said[i] !== enforced.said[i]);
  expect(differing.some((asked) => asked.includes('x-request-timeout-ms: 0'))).toBe(true);
  expect(differing.some((asked) => asked.startsWith('GET /slow') && !asked.includes('timeout'))).toBe(true);
});
