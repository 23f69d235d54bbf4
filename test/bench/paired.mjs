// What the benches of the adapters share. Their contenders take turns, and each is compared with the floor of the same
// turn, since the speed of a machine drifts by more than most of what is measured here. On a core of their own, all processes
// together (`taskset -c 1 node …`), they are ten times as exact: over two, the kernel's placing of them decides.
import { cpus, loadavg } from 'node:os';

/** Whether only that the bench runs is of interest, and not what it measures. */
export const brief = process.argv.includes('--brief');

const sorted = (list) => [...list].sort((a, b) => a - b);

/** The value below which this share of the list lies. */
export const quantile = (list, share) => sorted(list)[Math.floor((list.length - 1) * share)];
export const median = (list) => quantile(list, 0.5);

/** The machine, the version and the load, without which a figure means nothing. */
export function machine() {
  const load = loadavg().map((each) => each.toFixed(1));
  const date = new Date().toISOString().slice(0, 10);
  return `Node ${process.version}, ${cpus()[0].model.trim()} × ${cpus().length}, load ${load.join(' ')}, ${date}`;
}

/** By how much something is more, with quartiles: `+2.31 (1.90–2.84)`. */
export function more(list, digits = 2) {
  const [low, middle, high] = [0.25, 0.5, 0.75].map((share) => quantile(list, share).toFixed(digits));
  return `${middle.startsWith('-') ? '' : '+'}${middle} (${low}–${high})`;
}

/** So few at a time that what else the machine does meets all contenders alike. */
export const AT_ONCE = 50;

/**
 * Has each contender do its work, `AT_ONCE` times in its turn and `count` times in a round, in another order each time:
 * who comes after whom must not decide.
 *
 * @param ways Functions that do the work once, by the name of the contender.
 * @returns Of each round its turns, and of each turn µs of CPU of this process by contender.
 */
export async function inTurns(ways, rounds, count) {
  const names = Object.keys(ways);
  const found = [];
  // The first is to warm up.
  for (let round = -1; round < rounds; round++) {
    const turns = [];
    for (let turn = 0; turn < count / AT_ONCE; turn++) {
      const spent = new Map();
      for (const place of names.keys()) {
        const name = names[(place + turn + round + names.length) % names.length];
        const work = ways[name];
        const before = process.cpuUsage();
        for (let index = 0; index < AT_ONCE; index++) await work();
        const { user, system } = process.cpuUsage(before);
        spent.set(name, (user + system) / AT_ONCE);
      }
      turns.push(spent);
    }
    if (round >= 0) found.push(turns);
  }
  return found;
}

/**
 * Prints the row of one contender: its median, and by how much it is more than its floor in the same turn.
 *
 * @param rounds Of each round its turns, and of each turn the figures by contender.
 */
export function printRow(name, floor, rounds, digits = 2) {
  const own = rounds.map((turns) => median(turns.map((turn) => turn.get(name))));
  const added = rounds.map((turns) => median(turns.map((turn) => turn.get(name) - turn.get(floor))));
  const cells = [name, median(own).toFixed(digits), name === floor ? '' : more(added, digits)];
  console.log(`| ${cells.join(' | ')} |`);
}
