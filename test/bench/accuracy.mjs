// How true the durations are: propagation, settling and lateness as the figures have them, beside another clock
// (`process.hrtime`) read around the same events. Budget: 50 µs + 1 %. usage: node test/bench/accuracy.mjs [events]
import { cpus } from 'node:os';
import { background, onEnd, run, withCancel, withTimeout } from '@curfew/context';
import { systemClock, useClock } from '@curfew/context/spi';
import { install } from '@curfew/telemetry';

const EVENTS = Number(process.argv[2] ?? 300);
/** Called at the next reading of Curfew's clock: the moment at which a timer notices a deadline. */
let atNextReading;
useClock({
  ...systemClock,
  now() {
    const reading = systemClock.now();
    atNextReading?.();
    return reading;
  },
});

const telemetry = install();
const now = () => Number(process.hrtime.bigint()) / 1e6;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function busy(ms) {
  for (const until = now() + ms; now() < until;);
}

/** Milliseconds in all that a histogram has recorded so far. */
function recorded(name) {
  const points = telemetry.snapshot().get(name)?.points ?? [];
  return points.reduce((sum, point) => sum + point.sum * 1000, 0);
}

const PROPAGATION = 'curfew.cancel.propagation.duration';
const SETTLE = 'curfew.cancel.settle.duration';
const LATENESS = 'curfew.deadline.lateness';

/** Each brings one event about and returns how long it took by the other clock, in ms. */
const kinds = {
  'propagation, by a cancel': [
    PROPAGATION,
    () => {
      let until;
      const [ctx, cancel] = withCancel(background());
      onEnd(ctx, () => {
        busy(Math.random() * 10);
        until = now();
      });
      const from = now();
      cancel('why');
      return until - from;
    },
  ],
  'propagation, by a deadline, late by a blocked loop': [
    PROPAGATION,
    async () => {
      let until;
      const from = now();
      const [ctx] = withTimeout(background(), 2, { ref: true });
      const told = new Promise((resolve) => {
        onEnd(ctx, () => {
          busy(Math.random() * 3);
          until = now();
          resolve();
        });
      });
      busy(2 + Math.random() * 10);
      await told;
      return until - from - 2;
    },
  ],
  settling: [
    SETTLE,
    async () => {
      const [ctx, cancel] = withCancel(background());
      let finish;
      const work = run(ctx, () => new Promise((resolve) => (finish = resolve)));
      const from = now();
      cancel('why');
      await sleep(Math.random() * 10);
      finish();
      await work;
      return now() - from;
    },
  ],
  'lateness, noticed by the timer': [
    LATENESS,
    async () => {
      const from = now();
      const [ctx] = withTimeout(background(), 2, { ref: true });
      const told = new Promise((resolve) => onEnd(ctx, resolve));
      busy(2 + Math.random() * 10);
      let noticed;
      atNextReading = () => {
        atNextReading = undefined;
        noticed = now();
      };
      await told;
      return noticed - from - 2;
    },
  ],
  'lateness, noticed by a check': [
    LATENESS,
    () => {
      const from = now();
      const [ctx] = withTimeout(background(), 2, { ref: true });
      busy(2 + Math.random() * 10);
      const noticed = now();
      ctx.err();
      return noticed - from - 2;
    },
  ],
};

const quantile = (list, q) => list[Math.min(list.length - 1, Math.floor(list.length * q))];

console.log(`Node ${process.version}, ${cpus()[0].model}, ${new Date().toISOString().slice(0, 10)}`);
console.log(`${EVENTS} events each; µs between the figure and the other clock\n`);
console.log('| what | median | p99 | largest | beyond 50 µs + 1 % |');
console.log('|---|---|---|---|---|');
for (const [what, [histogram, bringAbout]] of Object.entries(kinds)) {
  for (let warm = 0; warm < 20; warm++) await bringAbout();
  const off = [];
  let beyond = 0;
  for (let event = 0; event < EVENTS; event++) {
    const before = recorded(histogram);
    const took = await bringAbout();
    const error = Math.abs(recorded(histogram) - before - took) * 1000;
    off.push(error);
    if (error > 50 + took * 10) beyond++;
  }
  off.sort((a, b) => a - b);
  const figures = [quantile(off, 0.5), quantile(off, 0.99), off.at(-1)].map((figure) => figure.toFixed(1));
  console.log(`| ${[what, ...figures, beyond].join(' | ')} |`);
}
telemetry.uninstall();
