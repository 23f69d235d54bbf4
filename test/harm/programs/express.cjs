const { Readable } = require('node:stream');
const { asked, counted, http, serve } = require('./service.cjs');

/** The same application for each version. What a handler does not catch goes to Express from version 5 on. */
module.exports = (express) => {
  const app = express();
  const respond = counted(async ({ kind, url }, res) => {
    if (kind === 'after') res.send('done');
    const up = await fetch(url);
    if (kind === 'stream') Readable.fromWeb(up.body).pipe(res);
    else if (kind === 'hold') res.send(await up.text());
    else await up.text();
  });
  app.get('/bare/:kind/:key', (req, res) => respond(asked(req.url), res));
  app.get('/catch/:kind/:key', async (req, res) => {
    try {
      await respond(asked(req.url), res);
    } catch {
      if (!res.headersSent) res.status(502).end();
    }
  });
  app.use((error, req, res, next) => (res.headersSent ? next() : res.status(500).end()));
  serve(http.createServer(app));
};
