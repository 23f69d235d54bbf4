const { http, routes, serve, texts } = require('./service.cjs');

/** The same application for each version. What a handler does not catch goes to Express, from version 5 on. */
exports.application = (express) => {
  const app = express();
  const listener = routes(texts(async (url) => (await fetch(url)).text()));
  app.get('/:style/:kind/:key', (req, res) => listener(req, res));
  app.use((error, req, res, next) => (res.headersSent ? res.end() : res.status(500).end()));
  serve(http.createServer(app));
};
