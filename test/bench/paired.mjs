// What the benches of the adapters share. Their contenders take turns, and each is compared with the floor of the same
// turn, since the speed of a machine drifts by more than most of what is measured here.
import { cpus, loadavg } from 'node:os';

/** Whether only that the bench runs is of interest, and not what it measures. */
export const brief = process.argv.includes('--brief');

const sorted = (list) => [...list].sort((a, b) => a - b);

/** The value below which this share of the list lies. */
export const quantile = (list, share) => sorted(list)[Math.floor((list.length - 1) * share)];
export const median = (list) => quantile(list, 0.5);

/** Microseconds of CPU since an earlier reading of `process.cpuUsage`, for each of `count`. */
export function cpuSince(before, count) {
  const { user, system } = process.cpuUsage(before);
  return { user: user / count, total: (user + system) / count };
}

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
