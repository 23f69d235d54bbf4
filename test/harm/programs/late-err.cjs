const { http, routes, serve } = require('./service.cjs');
const { active } = require('@curfew/context');

const BUSY_MS = 80;

/** Blocks the loop past the deadline, so that the question itself is what notices. */
serve(
  http.createServer(
    routes({
      async hold(_, res) {
        const begun = performance.now();
        while (performance.now() - begun < BUSY_MS);
        res.end(`${active().err()}`.slice(0, 0));
      },
    }),
  ),
);
