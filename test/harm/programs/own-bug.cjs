const { http, released, routes, serve, texts } = require('./service.cjs');

/** Dies by itself, whoever has left: that is nobody's to hide. */
serve(
  http.createServer(
    routes(
      texts(async (url) => {
        await released(url);
        return undefined.text;
      }),
    ),
  ),
);
