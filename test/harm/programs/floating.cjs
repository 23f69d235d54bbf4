const { http, released, routes, serve, texts } = require('./service.cjs');

/** A call that nobody waits for, beside the work. */
serve(
  http.createServer(
    routes(
      texts(async (url) => {
        void fetch(url).then((up) => up.text());
        await released(url);
        return 'done';
      }),
    ),
  ),
);
