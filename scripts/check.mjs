// `npm run check`: everything that can be told without running the code. `npm run check -- lint types` runs some.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { ROOT } from './workspace.mjs';

const bin = (name, ...args) => [join(ROOT, 'node_modules', '.bin', name), ...args];
const script = (name, ...args) => [process.execPath, join(ROOT, 'scripts', `${name}.mjs`), ...args];

/** What needs nothing, and the build that the rest reads. */
const FIRST = [
  { name: 'build', command: bin('tsc', '-b') },
  { name: 'format', command: bin('prettier', '--check', '--log-level', 'warn', '.') },
];

/** Long ones first, so that two lanes end together. */
const THEN = [
  { name: 'lint', command: bin('eslint', '--max-warnings', '0', '.') },
  { name: 'packages', command: script('check-packages') },
  { name: 'types', command: bin('tsc', '-p', 'tsconfig.test.json') },
  { name: 'generated', command: script('check-generated') },
  { name: 'imports', command: script('check-imports') },
  { name: 'slots', command: script('check-slots') },
  { name: 'peers', command: script('check-peers') },
  { name: 'lock', command: script('check-lock') },
  { name: 'paths', command: script('check-paths') },
];

const LANES = 2;

const chosen = process.argv.slice(2);
const known = [...FIRST, ...THEN].map((step) => step.name);
const unknown = chosen.filter((name) => !known.includes(name));
if (unknown.length > 0) {
  console.error(`check: no step is called ${unknown.join(', ')}; there are ${known.join(', ')}`);
  process.exit(2);
}
const wanted = (step) => chosen.length === 0 || chosen.includes(step.name);

const started = performance.now();
const failures = [...(await inLanes(FIRST.filter(wanted))), ...(await inLanes(THEN.filter(wanted)))];

for (const { name, output } of failures) console.error(`\n── ${name} ──\n${output.trim()}`);
const total = seconds(started);
if (failures.length > 0) {
  console.error(`\ncheck: failed in ${total}: ${failures.map((it) => it.name).join(', ')}`);
  process.exit(1);
}
console.log(`check: all passed in ${total}`);

/** Runs the steps two at a time and returns those that failed, with what they printed. */
async function inLanes(steps) {
  const queue = [...steps];
  const failed = [];
  const lane = async () => {
    for (let step = queue.shift(); step !== undefined; step = queue.shift()) {
      const begin = performance.now();
      const { code, output } = await run(step.command);
      console.log(`${code === 0 ? 'ok    ' : 'FAILED'} ${step.name.padEnd(10)} ${seconds(begin)}`);
      if (code !== 0) failed.push({ name: step.name, output });
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return failed;
}

function run([program, ...args]) {
  return new Promise((settle) => {
    const child = spawn(program, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
    child.on('error', (error) => settle({ code: 1, output: String(error) }));
    child.on('close', (code) => settle({ code, output }));
  });
}

function seconds(since) {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`;
}
