// One row of one contender, in a process of its own: `node --expose-gc measure.mjs <row> <contender>`.
// Prints the median of its rounds after a warm-up.
import { rows } from './rows.mjs';

const [, , row, contender, brief] = process.argv;
const { contenders, count = 1, repeat = 1, slow, unit } = rows[row];
const run = contenders[contender]();

// The rivals are up to a thousand times slower: fewer, smaller rounds tell as much of them.
const quick = contender === 'curfew' || contender === 'floor';
const size = quick || slow === undefined ? count : slow;
const again = quick ? repeat : 1;
const few = brief === 'brief' || unit === 'bytes' || !quick;
const [warmUps, rounds] = few ? [1, 3] : [4, 9];

/** Nanoseconds (or bytes) each. A row with a set-up tells its own time; it is repeated until it is compiled. */
function once() {
  const from = process.hrtime.bigint();
  const result = run(size);
  const spent = Number(process.hrtime.bigint() - from);
  if (typeof result !== 'object') return spent / result;
  let { ns, count: each } = result;
  for (let more = 1; more < again; more++) {
    const next = run(size);
    ns += next.ns;
    each += next.count;
  }
  return ns / each;
}

for (let warm = 0; warm < warmUps; warm++) once();
const figures = [];
for (let round = 0; round < rounds; round++) {
  figures.push(once());
  // Lets timers be swept and promises settle, as between requests of a server.
  await new Promise((resolve) => setImmediate(resolve));
}
figures.sort((a, b) => a - b);
process.stdout.write(`${figures[figures.length >> 1]}\n`, () => process.exit(0));
