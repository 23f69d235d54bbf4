const https = require('node:https');
const { http, released, routes, serve, texts } = require('./service.cjs');

/** What `http.request` does for https where it is given its agent; the upstream does not understand it. */
const failed = ({ hostname: host, port }) =>
  new Promise((resolve) => {
    const agent = new https.Agent();
    http.request({ protocol: 'https:', agent, host, port }).on('error', resolve).end();
  });

serve(
  http.createServer(
    routes(
      texts(async (url) => {
        await released(url);
        await failed(new URL(url));
        return 'failed as it should';
      }),
    ),
  ),
);
