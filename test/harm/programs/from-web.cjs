const { Readable } = require('node:stream');
const { http, routes, serve, texts } = require('./service.cjs');

const through = async ({ url, caught }, res) => {
  const body = Readable.fromWeb((await fetch(url)).body);
  if (caught) body.on('error', () => res.destroy());
  body.pipe(res);
};

const { after } = texts(async (url) => Readable.fromWeb((await fetch(url)).body).resume());
serve(http.createServer(routes({ hold: through, stream: through, after })));
