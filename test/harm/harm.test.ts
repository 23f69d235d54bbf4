import { startPostgres, type Postgres } from '@curfew/throwaway-postgres';
import { cellsOf, type Cell } from './compare';
import { EXCEPTIONS, excused } from './exceptions';
import { foreignProject, type ForeignProject } from './project';
import { startLocks } from './locks';
import { table, told } from './report';
import { runRow, type Place } from './run-row';
import { runScenario } from './run-scenario';
import { SCENARIOS } from './scenarios';
import { ROWS, type Row } from './table';
import { startUpstream, type Upstream } from './upstream';

// Programs that were not written against Curfew, from the tarballs as a user gets them: each with and without
// `--import @curfew/node/register`, through clients that hang up and deadlines that pass. One that survives without
// survives with it, and one that dies by itself dies the same way.

/** Another Node.js to run the programs with: `npm run harm` runs all. */
const NODE = process.env.CURFEW_HARM_NODE ?? process.execPath;
/** To look at some rows only. */
const CHOSEN = new RegExp(process.env.CURFEW_HARM_ROWS ?? '', 'i');
const LANES = 3;

const rows = ROWS.filter(({ name }) => CHOSEN.test(name));
const scenarios = SCENARIOS.filter(({ name }) => CHOSEN.test(name));
const cells = new Map<string, Promise<Cell[]>>();
let place: Place | undefined;
let project: ForeignProject | undefined;
let http: Upstream | undefined;
let locks: Upstream | undefined;
let postgres: Postgres | undefined;

beforeAll(async () => {
  project = foreignProject();
  if (project === undefined) return console.log('skipped: no registry to get frameworks from');
  http = await startUpstream();
  postgres = await startPostgres({ settings: { max_connections: '400' } });
  locks = await startLocks(postgres.connectionString);
  const here: Place = { node: NODE, dir: project.dir, upstreams: { http, postgres: locks } };
  place = here;
  inLanes(rows, async (row) => cellsOf(row.name, await runRow(row, here)));
}, 180_000);

afterAll(async () => {
  const all = new Map<string, Cell[]>();
  for (const [name, promise] of cells) all.set(name, await promise.catch(() => []));
  if (all.size > 0) process.stdout.write(`\n${table(all, excused)}\n`);
  await http?.close();
  await locks?.close();
  await postgres?.stop();
  project?.remove();
}, 300_000);

const differs = ({ differences }: Cell) => differences.length > 0;

/** Some at a time, each a promise from the beginning. */
function inLanes(all: readonly Row[], work: (row: Row) => Promise<Cell[]>): void {
  const lanes = Array.from({ length: LANES }, () => Promise.resolve<unknown>(undefined));
  all.forEach((row, index) => {
    const done = lanes[index % LANES]!.then(() => work(row));
    lanes[index % LANES] = done.catch(() => {});
    cells.set(row.name, done);
  });
}

for (const scenario of scenarios) {
  it(`${scenario.name}: leaves the same behind with Curfew as without`, async () => {
    if (place === undefined) return;
    const { withCurfew, without } = await runScenario(scenario, place);
    expect(withCurfew).toEqual(without);
  }, 60_000);
}

for (const { name } of rows) {
  it(`${name}: lives and dies with Curfew as without`, async () => {
    const red = (await (cells.get(name) ?? [])).filter(differs).filter((cell) => !excused(cell));
    if (red.length > 0) throw new Error(`\n${told(red)}`);
  }, 240_000);
}

const unfiltered = CHOSEN.source === new RegExp('').source;

const lasting = EXCEPTIONS.filter(({ sometimes }) => sometimes === undefined);

(unfiltered ? it : it.skip).each(lasting)(
  '$rows: still differ, as the README says',
  async ({ rows, covers }) => {
    for (const row of rows) {
      const found = await cells.get(row);
      if (found !== undefined) expect(found.filter(differs).filter(covers)).not.toEqual([]);
    }
  },
);
