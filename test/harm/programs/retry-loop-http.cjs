const { http, routes, serve, texts } = require('./service.cjs');

const get = (url) =>
  new Promise((resolve, reject) => {
    http
      .get(url, (up) =>
        up
          .on('error', reject)
          .on('end', () => resolve('got'))
          .resume(),
      )
      .on('error', reject);
  });

/** Tries again, without a pause, until it has an answer. */
serve(
  http.createServer(
    routes(
      texts(async (url) => {
        for (;;) {
          try {
            return await get(url);
          } catch {}
        }
      }),
    ),
  ),
);
