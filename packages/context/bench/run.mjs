// Prints one table: every row beside the floor, Node's own AbortSignal, effect and Go's own context, medians over fresh processes.
// usage: node bench/run.mjs [--rounds 5] [--node /path/to/another/node] [--rows text] [--brief]
import { execFileSync, spawnSync } from 'node:child_process';
import { cpus, loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { rows } from './rows.mjs';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    node: { type: 'string', default: process.execPath },
    rows: { type: 'string', default: '' },
    brief: { type: 'boolean', default: false },
  },
});
const rounds = values.brief ? 1 : Number(values.rounds);
const here = (file) => fileURLToPath(new URL(file, import.meta.url));

/** What Go's benchmarks are called for each row. */
const GO = {
  'derive and cancel': 'DeriveCancel',
  'derive and cancel, 10,000 siblings': 'DeriveCancelSiblings',
  'derive with a timeout, release': 'DeriveTimeout',
  'cancel 10,000 children with an onEnd each, per child': 'CancelWide',
  'cancel 10 children with an onEnd each, per child': 'FanOutWide10',
  'cancel 1,000 children with an onEnd each, per child': 'FanOutWide1000',
  'cancel 100 children of 100 children, an onEnd each, per child': 'FanOutSquare100',
  'cancel a chain 1,000 deep with an onEnd each, per level': 'FanOutDeep1000',
  'cancel one context with 10,000 onEnd, per callback': 'Callbacks10000',
  'cancel a chain 1,000 deep, per level': 'CancelDeep1000',
  'cancel a chain 10,000 deep, per level': 'CancelDeep10000',
  'is it done? no deadline': 'Err',
  'is it done? with a deadline': 'ErrDeadline',
  withValue: 'WithValue',
  'read a value at depth 10': 'DeepValue',
  'bytes of a live child': 'BytesChild',
  'create one of 100,000 live deadlines': 'DeadlineCreate',
  'clear one of 100,000 live deadlines': 'DeadlineClear',
};

function goFigures() {
  const found = spawnSync('go', ['version'], { encoding: 'utf8' });
  if (found.status !== 0) {
    console.log('skipped: no Go');
    return { version: 'no Go', figures: {} };
  }
  const args = ['test', '-bench', '.', '-run', 'NONE', '-count', String(rounds)];
  if (values.brief) args.push('-benchtime', '1x');
  const out = execFileSync('go', args, { cwd: here('./go'), encoding: 'utf8' });
  const figures = {};
  for (const line of out.split('\n')) {
    const match = /^Benchmark(\w+?)(?:-\d+)?\s+\d+\s+(.*)$/.exec(line);
    if (match === null) continue;
    const each = /([\d.]+) (?:ns|bytes)\/each/.exec(match[2]) ?? /([\d.]+) ns\/op/.exec(match[2]);
    (figures[match[1]] ??= []).push(Number(each[1]));
  }
  return { version: found.stdout.trim().split(' ')[2], figures };
}

const median = (list) => (list?.length ? [...list].sort((a, b) => a - b)[list.length >> 1] : undefined);
const show = (figure) =>
  figure === undefined ? '–' : figure < 10 ? figure.toFixed(1) : Math.round(figure).toString();

const node = execFileSync(values.node, ['--version'], { encoding: 'utf8' }).trim();
const go = goFigures();
const load = loadavg().map((each) => each.toFixed(1));
console.log(
  `Node ${node}, ${go.version}, ${cpus()[0].model}, load ${load.join(' ')}, ${new Date().toISOString().slice(0, 10)}`,
);
console.log(`medians of ${rounds} fresh processes; ns each, or bytes\n`);
// Curfew once more: by how much the two differ is noise.
console.log(
  '| row | floor | Curfew | again | Go | Curfew ÷ Go | AbortController | AbortSignal.any | effect |',
);
console.log('|---|---|---|---|---|---|---|---|---|');
for (const [row, { contenders }] of Object.entries(rows)) {
  if (!row.includes(values.rows)) continue;
  const figures = {};
  // Round by round, contender by contender, so that a drift of the machine's speed meets all of them.
  for (let round = 0; round < rounds; round++) {
    for (const contender of [...Object.keys(contenders), 'again']) {
      const measured = contender === 'again' ? 'curfew' : contender;
      const args = [
        '--expose-gc',
        '--no-warnings',
        here('./measure.mjs'),
        row,
        measured,
        values.brief ? 'brief' : 'full',
      ];
      (figures[contender] ??= []).push(Number(execFileSync(values.node, args, { encoding: 'utf8' })));
    }
  }
  const goes = median(go.figures[GO[row]]);
  const ours = median(figures.curfew);
  const ratio = goes === undefined ? '–' : (ours / goes).toFixed(2);
  const cells = [median(figures.floor), ours, median(figures.again), goes].map(show);
  console.log(
    `| ${row} | ${cells.join(' | ')} | ${ratio} | ${[figures.native, figures.any, figures.effect].map((list) => show(median(list))).join(' | ')} |`,
  );
}
