const http2 = require('node:http2');
const { routes, serve, texts } = require('./service.cjs');

// What gives requests of http2 a context, where there is something to give it.
const timeout = Number(process.env.CURFEW_REQUEST_TIMEOUT) || undefined;
const wrap = (listener) =>
  process.env.CURFEW === 'on' ? require('@curfew/http').wrapListener(listener, { timeout }) : listener;
serve(http2.createServer(wrap(routes(texts(async (url) => (await fetch(url)).text())))));
