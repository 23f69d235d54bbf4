import { watchActivity, type Activity } from './board/activity';
import { HELP, readArguments, type Settings } from './arguments';
import { Fault, lineFor } from './fault';
import { screenOn, type Screen } from './board/screen';
import { SCENARIOS } from './clients/scenarios';
import { figuresAt, SERVICES, startSystem, type System } from './system';
import { lineOf, tableOf, type Moment } from './board/table';
import { NO_REQUESTS, type Tally } from './clients/tally';
import type { TallyMessage } from './traffic';

const TABLE_EVERY_MS = 500;
const LINE_EVERY_MS = 5_000;
const QUIET_LIMIT_MS = 500;

/** Runs the demo until its time is over or somebody stops it. */
async function demo(settings: Settings, screen: Screen, stopped: AbortSignal): Promise<void> {
  screen.say('Starting PostgreSQL and three services …');
  const system = await startSystem({
    gatewayPort: settings.gatewayPort,
    metricsPort: settings.metricsPort,
    tell: screen.say,
    lost: (name, exit) => screen.say(`${name} ended (${exit}); the rest goes on without it`),
    abandon: stopped,
  });
  try {
    await watch(system, settings, screen, stopped);
  } finally {
    await system.stop();
  }
}

async function watch(
  system: System,
  settings: Settings,
  screen: Screen,
  stopped: AbortSignal,
): Promise<void> {
  for (const line of whatThereIs(system)) screen.say(line);
  let tally = NO_REQUESTS;
  const activity = await watchActivity(system.connectionString);
  const traffic = await system.start(
    {
      name: 'traffic',
      file: 'traffic.js',
      observed: false,
      env: { ...process.env, UPSTREAM_URL: system.services.gateway.url, RATE: String(settings.rate) },
    },
    {
      line: (name, text) => screen.say(`${name}: ${text}`),
      lost: (name, exit) => screen.say(`${name} ended (${exit}); no more requests are sent`),
      message: (_, message) => (tally = (message as TallyMessage).tally),
    },
  );
  const begun = performance.now();
  const look = async () => momentOf(system, begun, tally, await countOf(activity));
  const every = screen.live ? TABLE_EVERY_MS : LINE_EVERY_MS;
  const end = begun + (settings.seconds ?? Infinity) * 1_000;
  for (let next = begun + every; !stopped.aborted && performance.now() < end; next += every) {
    await pause(Math.min(next, end) - performance.now(), stopped);
    const moment = await look();
    if (screen.live) screen.draw(tableOf(moment));
    else screen.say(lineOf(moment));
  }
  // First the clients, then what the last of them left behind, so that the summary counts requests that are over.
  await traffic.stop();
  const limit = performance.now() + QUIET_LIMIT_MS;
  while ((await countOf(activity)) !== 0 && performance.now() < limit) await pause(20);
  const last = await look();
  if (screen.live) screen.draw(tableOf(last));
  screen.release();
  await activity.end();
  if (!screen.live) ['', ...tableOf(last)].forEach((line) => screen.say(line));
  screen.say('');
  screen.say('Stopping …');
}

async function momentOf(
  system: System,
  begun: number,
  tally: Tally,
  activeQueries: number | undefined,
): Promise<Moment> {
  const services = await Promise.all(
    SERVICES.map(async (name) => [name, await figuresAt(system.services[name].metricsUrl)] as const),
  );
  return { elapsed: (performance.now() - begun) / 1_000, services, activeQueries, tally };
}

/** Queries that run now; `undefined` where PostgreSQL does not answer. */
async function countOf(activity: Activity): Promise<number | undefined> {
  try {
    return (await activity.running()).length;
  } catch {
    return undefined;
  }
}

/** What can be looked at, and tried by hand, while the demo runs. */
function whatThereIs({ services }: System): string[] {
  const gateway = services.gateway.url;
  const { finish, hangUp, clientDeadline, legacy } = SCENARIOS;
  const address = (name: (typeof SERVICES)[number]) => {
    const { url, metricsUrl, pid } = services[name];
    return `  ${name.padEnd(10)} ${url}   metrics ${metricsUrl}   pid ${pid}`;
  };
  return [
    '',
    ...SERVICES.map(address),
    '',
    'Try it yourself:',
    `  finish     curl '${gateway}${finish.path(1)}'`,
    `  hang up    curl -m 1 '${gateway}${hangUp.path(2)}'`,
    `  deadline   curl -i -H 'x-request-timeout-ms: ${clientDeadline.headers['x-request-timeout-ms']}' '${gateway}${clientDeadline.path(3)}'`,
    `  legacy     curl '${gateway}${legacy.path(4)}'`,
    '',
  ];
}

/** Waits, but not for longer than until the demo is stopped. */
function pause(milliseconds: number, stopped?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      stopped?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, Math.max(0, milliseconds));
    stopped?.addEventListener('abort', done);
    if (stopped?.aborted === true) done();
  });
}

async function main(): Promise<void> {
  const settings = readArguments(process.argv.slice(2));
  if (settings === 'help') return void process.stdout.write(HELP);
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop.abort());
  // A reader that goes away (`npm start | head`) is a wish to stop.
  process.stdout.on('error', () => stop.abort());
  try {
    await demo(settings, screenOn(process.stdout, process.env.TERM), stop.signal);
  } catch (error) {
    // To be stopped while it starts is no failure.
    if (!stop.signal.aborted) throw error;
  }
}

main().then(
  () => process.exit(),
  (error: unknown) => {
    // A defect shows its stack; what people can put right is one line.
    console.error(error instanceof Fault ? `curfew demo: ${lineFor(error)}` : error);
    process.exit(1);
  },
);
