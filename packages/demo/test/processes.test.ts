import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { Fault } from '../dist/fault';
import { startProcess, type Ears } from '../dist/processes';

function program(behaviour: string) {
  const env = { ...process.env, BEHAVIOUR: behaviour };
  return { name: 'orders', file: require.resolve('./fixtures/program.cjs'), env, observed: false };
}

/** Ears that remember what they heard. */
function listening() {
  const heard: string[] = [];
  const ears: Ears = {
    line: (name, text) => void heard.push(`${name}: ${text}`),
    lost: (name, exit) => void heard.push(`${name} lost, ${exit}`),
  };
  return { ears, heard };
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

describe('a process of the demo', () => {
  test('ends with its starter, even where that is killed by SIGKILL', async () => {
    const starter = spawn(process.execPath, [require.resolve('./fixtures/starter.cjs')], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(createInterface({ input: starter.stdout }), 'line')) as [string];
    const pid = Number(line);
    expect(exists(pid)).toBe(true);
    starter.kill('SIGKILL');
    await until(() => !exists(pid));
  });

  test('that is killed is reported as lost, and stopping it afterwards is fine', async () => {
    const { ears, heard } = listening();
    const running = await startProcess(program('well'), ears);
    process.kill(running.pid, 'SIGKILL');
    expect(await running.exited).toBe('SIGKILL');
    await until(() => heard.length === 2);
    expect(heard).toEqual(['orders: hello', 'orders lost, SIGKILL']);
    await running.stop();
  });

  test('that ignores the wish to end is killed', async () => {
    const { ears, heard } = listening();
    const running = await startProcess(program('stubborn'), ears);
    await running.stop();
    expect(await running.exited).toBe('SIGKILL');
    expect(heard).toEqual(['orders: hello']);
  });

  test('that crashes before it listens is a fault that says how it ended', async () => {
    const started = startProcess(program('crash'), listening().ears);
    await expect(started).rejects.toThrow(new Fault('orders: ended before it listened (exit code 3)'));
  });

  test('that finds its port taken says so in one line', async () => {
    const started = startProcess(program('taken'), listening().ears);
    await expect(started).rejects.toThrow(
      'orders: port 8080 is taken: stop what listens there or set PORT to another',
    );
  });

  test('is not started at all once its starter has given up', async () => {
    const started = startProcess(program('well'), listening().ears, AbortSignal.abort());
    await expect(started).rejects.toThrow('orders: stopped before it started');
  });

  test('tells where it listens, and ends by itself when asked to', async () => {
    const { ears, heard } = listening();
    const running = await startProcess(program('well'), ears);
    expect(running.address).toBe('http://nowhere');
    await running.stop();
    expect(await running.exited).toBe('exit code 0');
    expect(exists(running.pid)).toBe(false);
    expect(heard).toEqual(['orders: hello']);
  });
});
