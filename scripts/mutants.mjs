// `npm run mutants`: whether tests notice small mistakes in the files where a mistake costs most. Each mutation is
// built into a copy of the tree, and the tests that cover the file run there. One that none of them notices has to be
// killed by a test, or listed in mutants-allowed.json with the reason. `npm run mutants -- orphans derive:followProtocol`
// tries a file and a function; all of them take an hour, so it is for whoever changes one.
//
// Why not Stryker: it needs Node.js 22, and switches its mutants in the sources, while these tests run what is built.
import { spawn } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, relative } from 'node:path';
import ts from 'typescript';
import { mutationsOf } from './mutations.mjs';
import { readJson, ROOT, sourcesOf } from './workspace.mjs';

const tests = (folder) => (names) => names.split(' ').map((name) => `${folder}/${name}.test.ts`);
const context = tests('packages/context/test');
const conformance = tests('test/conformance');
const telemetry = tests('packages/telemetry/test');
const http = tests('packages/http/test');
const pg = tests('packages/pg/test');

/** The files, wherever in their package they are, and the tests that cover them: the quickest first. */
const TARGETS = {
  ending: {
    folder: 'context',
    tests: [
      ...conformance('go-cancel go-deadlines'),
      ...context('let-go automatic ending work deadlines merge another-protocol foreign-signal'),
      ...conformance('go-tree go-causes abort-signal-order javascript-listeners properties'),
    ],
  },
  deadlines: {
    folder: 'context',
    tests: [...context('deadline-timer deadlines'), ...conformance('go-deadlines properties')],
  },
  derive: {
    folder: 'context',
    tests: [
      ...context('derive ending deadlines bad-input foreign-signal automatic interop'),
      ...conformance(
        'go-tree go-roots go-cancel go-deadlines go-causes go-foreign go-names javascript-surface properties',
      ),
    ],
  },
  orphans: {
    folder: 'telemetry',
    tests: telemetry('orphans span-operations figures clock-jumps warnings curfew-spans spans failing-spans'),
  },
  marking: { folder: 'telemetry', tests: telemetry('marking spans curfew-spans server-inside') },
  'served-request': {
    folder: 'http',
    tests: http(
      'who-closed answer-at-deadline listener timeout-answer instrument-server kept silenced-response kill-switch nobody-handles',
    ),
  },
  'backend-cancel': { folder: 'pg', tests: pg('cancel-timers query cancel-request innocents streams') },
};

/** How much longer than without a mutation the tests of a file may take before they count as stuck, which is noticed too. */
const PATIENCE = { factor: 2, ms: 10_000 };

const chosen = process.argv.slice(2);
const unknown = chosen.filter((choice) => !(choice.split(':')[0] in TARGETS));
if (unknown.length > 0) {
  console.error(`mutants: no file ${unknown.join(', ')}; there are ${Object.keys(TARGETS).join(', ')}`);
  process.exit(2);
}

/** Jest would begin with the longest test. */
const AS_LISTED = `
const Sequencer = require('@jest/test-sequencer').default;
const order = process.env.CURFEW_TEST_ORDER.split(' ');
const place = (test) => order.findIndex((it) => test.path.endsWith(it));
module.exports = class extends Sequencer {
  sort(tests) {
    return [...tests].sort((a, b) => place(a) - place(b));
  }
};
`;

/** One test that fails is enough: the others of its file are left out. */
const UNTIL_FAILURE = `
const { TestEnvironment } = require('jest-environment-node');
module.exports = class extends TestEnvironment {
  handleTestEvent({ name, test }) {
    if (name === 'test_fn_failure' || name === 'hook_failure') this.failed = true;
    else if (name === 'test_start' && this.failed) test.mode = 'skip';
  }
};
`;

const ALLOWED = readJson(join(ROOT, 'scripts', 'mutants-allowed.json'));
const copy = mkdtempSync(join(tmpdir(), 'curfew-mutants-'));
let running;
process.on('exit', () => {
  stop(running);
  rmSync(copy, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));

copyTree();
let bad = 0;
for (const choice of chosen.length === 0 ? Object.keys(TARGETS) : chosen) {
  const [name, within] = choice.split(':');
  bad += await tryAll(name, (key) => within === undefined || key.startsWith(`${within}: `));
}
if (bad > 0) process.exitCode = 1;

/** The tree with what is built of it; dependencies are linked, except the packages of the tree itself. */
function copyTree() {
  const left = ['node_modules', '.git'];
  for (const entry of readdirSync(ROOT).filter((it) => !left.includes(it))) {
    cpSync(join(ROOT, entry), join(copy, entry), { recursive: true, verbatimSymlinks: true });
  }
  const modules = join(ROOT, 'node_modules');
  mkdirSync(join(copy, 'node_modules', '@curfew'), { recursive: true });
  for (const entry of readdirSync(modules).filter((it) => it !== '@curfew')) {
    symlinkSync(join(modules, entry), join(copy, 'node_modules', entry));
  }
  cpSync(join(modules, '@curfew'), join(copy, 'node_modules', '@curfew'), {
    recursive: true,
    verbatimSymlinks: true,
  });
  mkdirSync(join(copy, 'tmp'));
  writeFileSync(join(copy, 'as-listed.cjs'), AS_LISTED);
  writeFileSync(join(copy, 'until-failure.cjs'), UNTIL_FAILURE);
}

/** Tries the mutations of one file that are chosen; returns how many things there are to put right. */
async function tryAll(name, isChosen) {
  const { folder, tests } = TARGETS[name];
  const dir = join(copy, 'packages', folder);
  const file = sourcesOf(dir).find((it) => basename(it) === `${name}.ts`);
  if (file === undefined) throw new Error(`packages/${folder} has no ${name}.ts`);
  const source = readFileSync(file, 'utf8');
  const built = join(dir, 'dist', relative(join(dir, 'src'), file).replace(/\.ts$/, '.js'));
  const original = readFileSync(built, 'utf8');
  const put = (text, code) => {
    // Tests that take a file from the sources are to see it, too.
    writeFileSync(file, text);
    writeFileSync(built, code);
  };

  const begin = performance.now();
  const unmutated = await run(tests, Infinity);
  if (!unmutated.passed)
    throw new Error(`The tests of ${name} fail without a mutation:\n${unmutated.output}`);
  const patience = PATIENCE.factor * unmutated.longest + PATIENCE.ms;

  const mutations = mutationsOf(file, source).filter(({ key }) => isChosen(key));
  const allowed = Object.fromEntries(Object.entries(ALLOWED[name] ?? {}).filter(([key]) => isChosen(key)));
  let killed = 0;
  let spared = 0;
  const living = [];
  for (const { key, line, text } of mutations) {
    const reason = allowed[key];
    delete allowed[key];
    if (reason !== undefined) {
      spared++;
      continue;
    }
    put(text, compile(text));
    if ((await run(tests, patience)).passed) {
      living.push(key);
      console.log(`  lives   ${relative(copy, file)}:${line}  ${key}`);
    } else killed++;
  }
  put(source, original);

  const seconds = Math.round((performance.now() - begin) / 1000);
  console.log(
    `${name}: ${mutations.length} mutations, ${killed} killed, ${spared} listed with a reason, ${living.length} live (${seconds} s)`,
  );
  const dead = Object.keys(allowed);
  for (const key of dead) console.log(`  listed, but there is no such mutation any more: ${key}`);
  return living.length + dead.length;
}

/** As `tsc` builds it, without a look at the types: a mutation need not have the right ones. */
function compile(text) {
  const compilerOptions = { target: 'ES2022', module: 'CommonJS', esModuleInterop: true };
  return ts.transpileModule(text, { compilerOptions }).outputText;
}

function run(tests, patience) {
  const jest = join(ROOT, 'node_modules', 'jest', 'bin', 'jest.js');
  const args = [
    '--runInBand',
    '--no-watchman',
    '--bail',
    '--testSequencer',
    join(copy, 'as-listed.cjs'),
    '--env',
    join(copy, 'until-failure.cjs'),
    '--runTestsByPath',
    ...tests,
  ];
  // What a mutation keeps from being removed, goes with the copy.
  const env = { ...process.env, CURFEW_TEST_ORDER: tests.join(' '), TMPDIR: join(copy, 'tmp') };
  // A loop that never ends must not take the machine's memory with it.
  const child = spawn(process.execPath, ['--max-old-space-size=1024', jest, ...args], {
    cwd: copy,
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running = child;
  return new Promise((settle) => {
    let output = '';
    // Jest says something whenever a file is through.
    let heard = performance.now();
    let longest = 0;
    let stuck;
    const hear = (chunk) => {
      output += chunk;
      longest = Math.max(longest, performance.now() - heard);
      heard = performance.now();
      clearTimeout(stuck);
      if (patience !== Infinity && child.exitCode === null) stuck = setTimeout(() => stop(child), patience);
    };
    hear('');
    for (const stream of [child.stdout, child.stderr]) stream.on('data', hear);
    child.on('exit', (code) => {
      clearTimeout(stuck);
      // What the tests started and did not end.
      stop(child);
      settle({ passed: code === 0, output, longest });
    });
  });
}

/** Ends a run with all that it has started. */
function stop(child) {
  try {
    if (child !== undefined) process.kill(-child.pid, 'SIGKILL');
  } catch {
    // All of it has ended.
  }
}
