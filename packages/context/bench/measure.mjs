// One row of one contender, in a process of its own: `node --expose-gc measure.mjs <row> <contender>`.
// Prints the median of its rounds after a warm-up.
import { rows } from './rows.mjs';

const [, , row, contender, brief] = process.argv;
const { contenders, count = 1, repeat = 1, slow, unit } = rows[row];
const run = contenders[contender]();
const size = contender === 'curfew' || contender === 'floor' || slow === undefined ? count : slow;
const rounds = unit === 'bytes' || brief === 'brief' ? 2 : 9;

/** Nanoseconds (or bytes) each. A row with a set-up tells its own time; it is repeated until it is compiled. */
function once() {
  const from = process.hrtime.bigint();
  const result = run(size);
  const spent = Number(process.hrtime.bigint() - from);
  if (typeof result !== 'object') return spent / result;
  let { ns, count: each } = result;
  for (let again = 1; again < repeat; again++) {
    const more = run(size);
    ns += more.ns;
    each += more.count;
  }
  return ns / each;
}

for (let warm = 0; warm < (unit === 'bytes' ? 1 : brief === 'brief' ? 1 : 4); warm++) once();
const figures = [];
for (let round = 0; round < rounds; round++) {
  figures.push(once());
  // Lets timers be swept and promises settle, as between requests of a server.
  await new Promise((resolve) => setImmediate(resolve));
}
figures.sort((a, b) => a - b);
process.stdout.write(`${figures[figures.length >> 1]}\n`, () => process.exit(0));
