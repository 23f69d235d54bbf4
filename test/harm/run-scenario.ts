import { normal } from './compare';
import { startProgram, within, type Death } from './program';
import type { Place } from './run-row';
import type { Scenario } from './scenarios';

/** All that a process leaves behind. */
export interface Left {
  readonly death: Death;
  readonly stdout: string;
  readonly stderr: string;
}

/** Only a defect takes that long. */
const LIMIT_MS = 30_000;

/** Runs it with Curfew and without, side by side. */
export async function runScenario(
  scenario: Scenario,
  place: Place,
): Promise<{ readonly withCurfew: Left; readonly without: Left }> {
  const [withCurfew, without] = await Promise.all([run(scenario, place, true), run(scenario, place, false)]);
  return { withCurfew, without };
}

async function run(scenario: Scenario, { node, dir, upstreams }: Place, register: boolean): Promise<Left> {
  const program = startProgram({
    node,
    dir,
    program: scenario.program,
    protocol: 'http',
    register,
    env: {
      UPSTREAM: upstreams.http.address,
      KEY: await upstreams.http.take(),
      ...scenario.env,
      ...(register && scenario.settings),
    },
  });
  try {
    await scenario.act?.(program, register);
    const death = await within(LIMIT_MS, 'end of the process', program.dead);
    const stdout = program.stdout().replace(/^port \d+$/m, 'port');
    return { death, stdout, stderr: normal(program.stderr()) };
  } finally {
    program.kill('SIGKILL');
  }
}
