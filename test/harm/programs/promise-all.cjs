const { http, routes, serve, texts } = require('./service.cjs');

const text = async (url) => (await fetch(url)).text();
serve(http.createServer(routes(texts(async (url) => (await Promise.all([text(url), text(url)])).join()))));
