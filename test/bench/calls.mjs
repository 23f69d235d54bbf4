// What Curfew adds to an outgoing call: CPU of this process for a fetch and an `http.request` to a server in a process of
// its own, keep-alive, over loopback, under a live context with and without a deadline, and under none. The uncovered
// ones take turns with them, one twice, which is the noise. usage: node test/bench/calls.mjs [rounds] [calls a round] [--brief]
import { fork } from 'node:child_process';
import http from 'node:http';
import { fileURLToPath } from 'node:url';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { context, ROOT_CONTEXT } from '@opentelemetry/api';
import { background, withCancel, withTimeout } from '@curfew/context';
import {
  fetch as fetchUnder,
  instrumentFetch,
  instrumentHttpRequest,
  request as requestUnder,
} from '@curfew/http';
import { install } from '@curfew/telemetry';
import { AT_ONCE, brief, inTurns, machine, printRow } from './paired.mjs';

if (process.argv[2] === 'serve') {
  const server = http.createServer((_, response) => response.end('hello world'));
  server.keepAliveTimeout = 60_000;
  server.listen(0, '127.0.0.1', () => process.send(server.address().port));
} else await compare();

async function compare() {
  const [rounds = 11, calls = 1_000] = brief ? [1, 100] : process.argv.slice(2).map(Number);

  const child = fork(fileURLToPath(import.meta.url), ['serve']);
  const port = await new Promise((resolve) => child.once('message', resolve));
  const url = `http://127.0.0.1:${port}/`;
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  install();
  const plain = { fetch: globalThis.fetch, request: http.request };
  instrumentFetch();
  instrumentHttpRequest();
  const covered = { fetch: globalThis.fetch, request: http.request };

  const [live] = withCancel(background(), { name: 'http.server' });
  const [limited] = withTimeout(background(), 3_600_000, { name: 'http.server' });

  const read = async (sent) => (await sent).arrayBuffer();
  const finished = (make) =>
    new Promise((resolve, reject) => {
      make({ port, host: '127.0.0.1', agent }, (response) => response.resume().on('end', resolve))
        .on('error', reject)
        .end();
    });
  /** The explicit form goes by way of what is exported, which is then to be the plain one. */
  const explicitly = (make) => () => {
    globalThis.fetch = plain.fetch;
    http.request = plain.request;
    const made = make();
    globalThis.fetch = covered.fetch;
    http.request = covered.request;
    return made;
  };
  const fetching =
    (ctx, { fetch }) =>
    () =>
      context.with(ctx, () => read(fetch(url)));
  const requesting =
    (ctx, { request }) =>
    () =>
      context.with(ctx, () => finished(request));

  const kinds = {
    fetch: {
      plain: fetching(ROOT_CONTEXT, plain),
      'plain, again': fetching(ROOT_CONTEXT, plain),
      // What Node itself charges for a call that can be aborted.
      'plain, with a signal': () => read(plain.fetch(url, { signal: new AbortController().signal })),
      'covered, no context': fetching(ROOT_CONTEXT, covered),
      explicit: explicitly(() => read(fetchUnder(live, url))),
      'covered, live context': fetching(live, covered),
      'covered, live context with a deadline': fetching(limited, covered),
    },
    'http.request': {
      plain: requesting(ROOT_CONTEXT, plain),
      'plain, again': requesting(ROOT_CONTEXT, plain),
      'plain, with a signal': () =>
        finished((options, ...rest) =>
          plain.request({ ...options, signal: new AbortController().signal }, ...rest),
        ),
      'covered, no context': requesting(ROOT_CONTEXT, covered),
      explicit: explicitly(() => finished((...args) => requestUnder(live, ...args))),
      'covered, live context': requesting(live, covered),
      'covered, live context with a deadline': requesting(limited, covered),
    },
  };

  console.log(machine());
  console.log(`µs of CPU a call, medians of ${rounds} × ${calls}, ${AT_ONCE} of each way in turn\n`);
  for (const [kind, ways] of Object.entries(kinds)) {
    const found = await inTurns(ways, rounds, calls);
    console.log(`| ${kind} | µs | more than plain, median of rounds (quartiles) |\n|---|---|---|`);
    for (const name of Object.keys(ways)) printRow(name, 'plain', found);
    console.log();
  }
  agent.destroy();
  child.kill();
  process.exit();
}
