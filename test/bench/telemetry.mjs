// What telemetry adds to a context's life, with the real store and no spans: the same loop with it off and on, in
// turn, in one process each. usage: node test/bench/telemetry.mjs [--rounds 9]
import { execFileSync } from 'node:child_process';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { background, withCancel, withTimeout } from '@curfew/context';
import { clock } from '@curfew/context/spi';
import { install } from '@curfew/telemetry';

const [, , mode, life] = process.argv;

const lives = {
  'derive and release': (parent) => withCancel(parent, { name: 'bench' })[1](),
  'derive with a timeout and release': (parent) => withTimeout(parent, 60_000, { name: 'bench' })[1](),
  'derive and cancel': (parent) => withCancel(parent, { name: 'bench' })[1]('why'),
  // What a life with telemetry cannot do without: when it began and when it ended.
  'two readings of the clock, alone': () => clock().now() + clock().now(),
};

if (mode === 'off' || mode === 'on') {
  if (mode === 'on') install();
  const [parent] = withCancel(background());
  const live = lives[life];
  const once = (count) => {
    const from = process.hrtime.bigint();
    for (let index = 0; index < count; index++) live(parent);
    return Number(process.hrtime.bigint() - from) / count;
  };
  for (let warm = 0; warm < 5; warm++) once(100_000);
  const figures = Array.from({ length: 9 }, () => once(200_000)).sort((a, b) => a - b);
  console.log(figures[4]);
} else {
  const index = process.argv.indexOf('--rounds');
  const rounds = index < 0 ? 9 : Number(process.argv[index + 1]);
  const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];
  const measure = (...args) =>
    Number(execFileSync(process.execPath, [fileURLToPath(import.meta.url), ...args], { encoding: 'utf8' }));
  console.log(`Node ${process.version}, ${cpus()[0].model}, ${new Date().toISOString().slice(0, 10)}`);
  console.log(`medians of ${rounds} paired rounds in fresh processes; ns a life\n`);
  console.log('| life | off | on | added |');
  console.log('|---|---|---|---|');
  for (const name of Object.keys(lives)) {
    const pairs = Array.from({ length: rounds }, () => [measure('off', name), measure('on', name)]);
    const off = median(pairs.map(([figure]) => figure));
    const on = median(pairs.map(([, figure]) => figure));
    const added = median(pairs.map(([without, withIt]) => withIt - without));
    console.log(`| ${name} | ${off.toFixed(0)} | ${on.toFixed(0)} | ${added.toFixed(0)} |`);
  }
}
