import { certificate, key } from '../../packages/pg/test/tls-certificate';
import type { Answer } from './client';
import { OWN_LIMIT_MS, perform, PHASES, type Phase } from './phases';
import { startProgram, type Death, type Launch, type Program } from './program';
import { STYLES, type Row, type Style } from './table';
import type { Upstream } from './upstream';

/** What became of a program in a phase. */
export interface Outcome {
  readonly death?: Death;
  /** What it did not do in time, its loop's turns among them. */
  readonly failure?: string;
  readonly stderr: string;
  readonly answer?: Answer;
}

/** Without Curfew; with it; with it and a limit of the server's own; with the kill switch and that limit. */
export type Way = 'without' | 'with' | 'limited' | 'observing';

export type Listening = 'alone' | 'listener';

export interface Ran {
  readonly way: Way;
  readonly listening: Listening;
  readonly style: Style;
  readonly phase: Phase;
  readonly outcome: Outcome;
}

export interface Place {
  readonly node: string;
  readonly dir: string;
  readonly upstreams: Readonly<Record<'http' | 'postgres', Upstream>>;
}

const ENVIRONMENTS: Readonly<Record<Way, Readonly<Record<string, string>>>> = {
  without: {},
  with: {},
  limited: { CURFEW_REQUEST_TIMEOUT: String(OWN_LIMIT_MS) },
  observing: { CURFEW_REQUEST_TIMEOUT: String(OWN_LIMIT_MS), CURFEW_ENFORCE: '0' },
};

const phasesOf = (way: Way, row: Row): readonly Phase[] =>
  PHASES.filter(({ kind, ownLimit }) => {
    if (row.kinds !== undefined && !row.kinds.includes(kind)) return false;
    return way === 'without' || way === 'observing' || (way === 'limited') === (ownLimit ?? false);
  });

/** Runs a row in all its ways, side by side. */
export async function runRow(row: Row, place: Place): Promise<Ran[]> {
  const ran: Ran[] = [];
  for (const listening of ['alone', 'listener'] as const) {
    const ways = (Object.keys(ENVIRONMENTS) as Way[]).map((way) => runWay(row, way, listening, place));
    ran.push(...(await Promise.all(ways)).flat());
  }
  return ran;
}

async function runWay(row: Row, way: Way, listening: Listening, place: Place): Promise<Ran[]> {
  const upstream = row.postgres === true ? place.upstreams.postgres : place.upstreams.http;
  const launch: Launch = {
    node: place.node,
    dir: place.dir,
    program: row.program,
    protocol: row.protocol ?? 'http',
    register: way !== 'without',
    env: {
      ...(way !== 'without' && { CURFEW: 'on' }),
      UPSTREAM: upstream.address,
      ...(row.protocol === 'https' && { CERTIFICATE: certificate, KEY: key }),
      ...ENVIRONMENTS[way],
      ...(listening === 'listener' && { LISTENER: '1' }),
      ...row.env,
    },
  };
  const ran: Ran[] = [];
  let program: Program | undefined;
  let stuck = 0;
  for (const style of row.styles ?? STYLES) {
    for (const phase of phasesOf(way, row)) {
      if (stuck === GIVES_UP) {
        ran.push({ way, listening, style, phase, outcome: { failure: 'not tried any more', stderr: '' } });
        continue;
      }
      program ??= startProgram(launch);
      await program.ready;
      const enforces = way !== 'without' && way !== 'observing' && row.context !== false;
      const stage = { program, upstream, enforces, worksAfter: row.worksAfter !== false };
      const outcome = await outcomeOf(program, perform(phase, style, stage));
      ran.push({ way, listening, style, phase, outcome });
      if (outcome.death === undefined && outcome.failure === undefined) continue;
      if (outcome.failure !== undefined) stuck++;
      program.kill('SIGKILL');
      program = undefined;
    }
  }
  program?.kill('SIGKILL');
  await program?.dead;
  return ran;
}

/** A process that dies ends its phase at once; one that fails in it is looked at for a death a little later. */
async function outcomeOf(program: Program, performed: Promise<Answer | undefined>): Promise<Outcome> {
  const died = program.dead.then((death) => ({ death }));
  const went = performed.then(
    (answer) => (answer === undefined ? {} : { answer }),
    (error: Error) => ({ failure: error.message }),
  );
  const first = await Promise.race([died, went]);
  if (!('failure' in first)) return { ...first, stderr: program.stderr() };
  // What fails because the process is about to end tells of that end.
  const grace = new Promise<typeof first>((resolve) => setTimeout(resolve, DYING_MS, first));
  const last = await Promise.race([died, grace]);
  return { ...last, stderr: program.stderr() };
}

/** Each that is stuck takes as long as is waited at most: a few say enough of a defect. */
const GIVES_UP = 3;

const DYING_MS = 1_000;
