const http2 = require('node:http2');
const { routes, serve, texts } = require('./service.cjs');

serve(http2.createServer(routes(texts(async (url) => (await fetch(url)).text()))));
