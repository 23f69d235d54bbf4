// What Curfew adds to the JavaScript of a query of pg: over a stream that answers at once, so that neither the kernel nor
// a server adds its noise, and single-threaded in its garbage collections, which otherwise wait for a core to be free. The
// tenth of several batches, since noise only ever adds. Beside it what a query allocates, and its async resources.
// usage: node --single-threaded-gc --expose-gc --min-semi-space-size=256 --max-semi-space-size=512 test/bench/query-path.mjs [batches] [--brief]
import { createHook } from 'node:async_hooks';
import { createRequire } from 'node:module';
import { Duplex } from 'node:stream';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { context, ROOT_CONTEXT, trace } from '@opentelemetry/api';
import { background, withCancel, withTimeout } from '@curfew/context';
import { instrumentPg, query } from '@curfew/pg';
import { install } from '@curfew/telemetry';
import { brief, machine, quantile } from './paired.mjs';

const require = createRequire(import.meta.url);
const [batches = 60] = brief ? [2] : process.argv.slice(2).map(Number);
const BATCH = 400;

function message(type, body) {
  const head = Buffer.from(`${type}____`);
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}
const READY = message('Z', Buffer.from('I'));
const WELCOME = Buffer.concat([message('R', Buffer.alloc(4)), message('K', Buffer.alloc(8)), READY]);
const COLUMN = [0, 0, 0, 0, 0, 0, 0, 0, 0, 23, 0, 4, 255, 255, 255, 255, 0, 0];
/** One row of one column, `1`. */
const ANSWER = Buffer.concat([
  message('T', Buffer.concat([Buffer.from([0, 1]), Buffer.from('?column?\0'), Buffer.from(COLUMN)])),
  message('D', Buffer.from([0, 1, 0, 0, 0, 1, 49])),
  message('C', Buffer.from('SELECT 1\0')),
  READY,
]);

/** A server's end of the protocol, as far as `select 1` goes. */
class Answering extends Duplex {
  welcomed = false;
  setNoDelay() {}
  setKeepAlive() {}
  ref() {}
  unref() {}
  connect() {
    process.nextTick(() => this.emit('connect'));
    return this;
  }
  _read() {}
  _write(chunk, _encoding, done) {
    if (!this.welcomed) setImmediate(() => this.push(WELCOME));
    else if (chunk[0] === 'Q'.charCodeAt(0)) this.push(ANSWER);
    this.welcomed = true;
    done();
  }
}

async function copyOfPg() {
  for (const file of Object.keys(require.cache)) {
    if (/[\\/]node_modules[\\/]pg(?:-\w+)?[\\/]/.test(file)) delete require.cache[file];
  }
  const pg = require('pg');
  const pool = new pg.Pool({ stream: () => new Answering(), max: 1 });
  return { pg, pool, client: await pool.connect() };
}

context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
install();
const [plain, again, covered] = [await copyOfPg(), await copyOfPg(), await copyOfPg()];
instrumentPg(covered.pg);
const [live] = withCancel(background(), { name: 'http.server' });
const [limited] = withTimeout(background(), 3_600_000, { name: 'http.server' });
const span = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), traceFlags: 1 };
const traced = trace.setSpanContext(ROOT_CONTEXT, span);

const under = (ctx, copy, on) => () => context.with(ctx, () => copy[on].query('select 1'));
const waysOn = (on) => ({
  plain: under(ROOT_CONTEXT, plain, on),
  'plain, again': under(ROOT_CONTEXT, again, on),
  'covered, no context': under(ROOT_CONTEXT, covered, on),
  'covered, traced, nothing to cancel': under(traced, covered, on),
  explicit: () => query(live, plain[on], 'select 1'),
  'explicit, with a deadline': () => query(limited, plain[on], 'select 1'),
  'covered, live context': under(live, covered, on),
  'covered, live context with a deadline': under(limited, covered, on),
});

/** Of CPU, not of the clock: on a busy machine a batch of some milliseconds loses the processor on its way, or just not. */
async function microseconds(make) {
  const before = process.cpuUsage();
  for (let index = 0; index < BATCH; index++) await make();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / BATCH;
}

/** Bytes a query, where no collection comes between: a young generation of 256 MB sees to that. */
async function bytes(make) {
  globalThis.gc?.();
  const before = process.memoryUsage().heapUsed;
  for (let index = 0; index < BATCH; index++) await make();
  return (process.memoryUsage().heapUsed - before) / BATCH;
}

/** Async resources of our own a query. */
async function resources(make) {
  let made = 0;
  const hook = createHook({ init: (_, type) => (made += type.startsWith('CURFEW') ? 1 : 0) }).enable();
  for (let index = 0; index < BATCH; index++) await make();
  hook.disable();
  return made / BATCH;
}

console.log(machine());
for (const on of ['client', 'pool']) {
  if (on === 'pool') for (const { client } of [plain, again, covered]) client.release();
  const ways = Object.entries(waysOn(on));
  const found = new Map(ways.map(([name]) => [name, []]));
  for (let batch = 0; batch < batches; batch++) {
    for (const [name, make] of ways) {
      await new Promise((resolve) => setImmediate(resolve));
      found.get(name).push(await microseconds(make));
    }
  }
  const floor = quantile(found.get('plain'), 0.1);
  console.log(`\n| ${on}.query | µs of JavaScript | more | bytes | async resources |\n|---|---|---|---|---|`);
  for (const [name, make] of ways) {
    const figure = quantile(found.get(name), 0.1);
    const cells = [figure.toFixed(2), (figure - floor).toFixed(2), (await bytes(make)).toFixed(0)];
    console.log(`| ${[name, ...cells, await resources(make)].join(' | ')} |`);
  }
}
process.exit();
