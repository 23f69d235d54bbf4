const { http, routes, serve, texts } = require('./service.cjs');

serve(http.createServer(routes(texts(async (url) => (await fetch(url)).text()))));
