// What every program shares, and nothing of Curfew: where its upstream is, an answer that tells whether it is alive,
// a heartbeat, and, where LISTENER says so, a listener that logs and exits.
'use strict';

const http = require('node:http');
const net = require('node:net');

const UPSTREAM = process.env.UPSTREAM;
const BEAT_MS = 20;

/** Milliseconds of processor time, which tell a loop that does not turn from a machine that is busy. */
const spent = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

let beaten = spent();
let gap = 0;
const beat = () => {
  const now = spent();
  gap = Math.max(gap, now - beaten);
  beaten = now;
};
setInterval(beat, BEAT_MS).unref();

if (process.env.LISTENER) {
  process.on('unhandledRejection', (reason) => {
    console.error(`unhandled: ${reason}`);
    process.exit(3);
  });
}

let open = 0;
let busy = 0;

/** Counts a handler as at work until it has settled; it settles as it would without. */
const counted = (handler) =>
  async function (...args) {
    busy++;
    try {
      return await handler.apply(this, args);
    } finally {
      busy--;
    }
  };

/** Answers a few turns of the loop later: what was about to happen has happened. */
async function plain(res) {
  for (let turn = 0; turn < 4; turn++) await new Promise(setImmediate);
  beat();
  res.end(JSON.stringify({ open, busy, gap: Math.round(gap) }));
  gap = 0;
}

/** Stands before whatever the server does with requests. */
function announced(server) {
  const listeners = server.listeners('request');
  server.removeAllListeners('request');
  server.on('request', function (req, res) {
    if (req.url === '/plain') return void plain(res);
    open++;
    res.once('close', () => open--);
    for (const listener of listeners) listener.call(this, req, res);
  });
  const tell = () => {
    // What loading took is no gap.
    beaten = spent();
    console.log(`port ${server.address().port}`);
  };
  if (server.listening) tell();
  else server.once('listening', tell);
}

/** Says where the server listens, and makes it listen unless it does. */
function serve(server) {
  announced(server);
  if (!server.listening) server.listen(0, '127.0.0.1');
}

/** `/catch/hold/k1`: whether the handler catches, what its upstream does, and the call's own key. */
function asked(path) {
  const [, style, kind, key] = path.split('/');
  return { caught: style === 'catch', kind, key, path: `/${kind}/${key}`, url: `${UPSTREAM}/${kind}/${key}` };
}

/**
 * A listener for node:http that does as `ways` say: `hold` answers when its upstream has, `stream` has sent its head
 * before, `after` has answered before its upstream is done. The other style stands in a try and answers 502.
 */
function routes(ways) {
  return counted(async (req, res) => {
    const call = asked(req.url);
    if (!call.caught) return ways[call.kind](call, res, req);
    try {
      return await ways[call.kind](call, res, req);
    } catch {
      if (!res.headersSent) res.statusCode = 502;
      res.end();
    }
  });
}

/** The three ways of handlers that want a text of their upstream. */
const texts = (text) => ({
  hold: async (call, res) => void res.end(await text(call.url)),
  stream: async (call, res) => {
    res.write('head ');
    res.end(await text(call.url));
  },
  after: async (call, res) => {
    res.end('done');
    await text(call.url);
  },
});

/** Waits for the upstream over a socket of its own, which nobody's cancellation follows. */
const released = (url) =>
  new Promise((resolve) => {
    const { hostname, port, pathname } = new URL(url);
    const socket = net.connect(Number(port), hostname);
    socket.on('error', resolve).on('close', resolve).resume();
    socket.write(`GET ${pathname} HTTP/1.0\r\n\r\n`);
  });

module.exports = { UPSTREAM, asked, counted, http, released, routes, serve, texts };
