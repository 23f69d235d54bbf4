const { http, routes, serve, texts } = require('./service.cjs');

/** Both are begun at once and awaited in turn: where the first fails, nobody looks at the second. */
serve(
  http.createServer(
    routes(
      texts(async (url) => {
        const [one, other] = [fetch(url), fetch(url)];
        return (await (await one).text()) + (await (await other).text());
      }),
    ),
  ),
);
