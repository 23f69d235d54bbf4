// How long after a client hung up does PostgreSQL stop working for it, three services down?
// Usage: node test/bench/hang-up.mjs [rounds]
import { createRequire } from 'node:module';
import { cpus } from 'node:os';

const require = createRequire(import.meta.url);
const { startSystem } = require('../../packages/demo/dist/system.js');
const { watchActivity } = require('../../packages/demo/dist/board/activity.js');
const { clients, send } = require('../../packages/demo/dist/clients/client.js');

const rounds = Number(process.argv[2] ?? 100);
if (!Number.isInteger(rounds) || rounds < 1) {
  console.error('usage: node test/bench/hang-up.mjs [rounds]; rounds is a whole number from 1');
  process.exit(1);
}

const system = await startSystem({ anyPort: true, tell: console.error, lost: console.error });
const activity = await watchActivity(system.connectionString);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** One hang-up, 100 ms after the request was sent; milliseconds until no query is active. */
async function measure(id) {
  let hangUp;
  const leave = new Promise((resolve) => (hangUp = resolve));
  const scenario = { name: 'hang up', method: 'GET', path: () => `/orders/${id}?sleep=3` };
  const sent = send(system.services.gateway.url, scenario, id, leave);
  await pause(100);
  while ((await activity.running()).length === 0) await pause(1);
  const begun = performance.now();
  hangUp();
  await sent;
  while ((await activity.running()).length > 0);
  return performance.now() - begun;
}

try {
  // The first rounds open connections and compile code.
  for (let id = 1; id <= 10; id++) await measure(id);
  const times = [];
  for (let id = 11; id <= 10 + rounds; id++) times.push(await measure(id));
  times.sort((a, b) => a - b);
  const at = (q) => times[Math.min(times.length - 1, Math.floor(q * times.length))].toFixed(1);
  console.log('hang-up to no active query in PostgreSQL, through gateway, orders and inventory');
  console.log(`  ${rounds} rounds: median ${at(0.5)} ms, p95 ${at(0.95)} ms, longest ${at(1)} ms`);
  console.log(
    `  Node.js ${process.version}, ${cpus().length} × ${cpus()[0].model}, ${new Date().toISOString().slice(0, 10)}`,
  );
} finally {
  clients.destroy();
  await activity.end();
  await system.stop();
}
