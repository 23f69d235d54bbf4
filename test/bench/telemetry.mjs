// What telemetry adds to a context's life, with the real store and no spans: the same loop with it off and on, in
// turn, in one process each. usage: node test/bench/telemetry.mjs [--rounds 9] [--brief]
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { background, withCancel, withTimeout } from '@curfew/context';
import { clock } from '@curfew/context/spi';
import { install } from '@curfew/telemetry';
import { brief, machine, median, more } from './paired.mjs';

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
  const rounds = brief ? 1 : index < 0 ? 9 : Number(process.argv[index + 1]);
  const measure = (...args) =>
    Number(execFileSync(process.execPath, [fileURLToPath(import.meta.url), ...args], { encoding: 'utf8' }));
  console.log(machine());
  console.log(
    `medians of ${rounds} paired rounds in fresh processes; ns a life; off once more is the noise\n`,
  );
  console.log('| life | off | off, again | on | added (quartiles) |');
  console.log('|---|---|---|---|---|');
  for (const name of Object.keys(lives)) {
    const found = Array.from({ length: rounds }, () => ({
      off: measure('off', name),
      on: measure('on', name),
      again: measure('off', name),
    }));
    const cells = ['off', 'again', 'on'].map((mode) => median(found.map((each) => each[mode])).toFixed(0));
    const added = more(
      found.map(({ off, on }) => on - off),
      0,
    );
    console.log(`| ${[name, ...cells, added].join(' | ')} |`);
  }
}
