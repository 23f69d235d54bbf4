const { http, routes, serve, texts } = require('./service.cjs');

/** Tries again, without a pause, until it has an answer. */
serve(
  http.createServer(
    routes(
      texts(async (url) => {
        for (;;) {
          try {
            return await (await fetch(url)).text();
          } catch {}
        }
      }),
    ),
  ),
);
