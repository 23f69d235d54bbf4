const fetch = require('node-fetch-2');
const { http, routes, serve, texts } = require('./service.cjs');

const ways = texts(async (url) => (await fetch(url)).text());
const stream = async ({ url, caught }, res) => {
  const { body } = await fetch(url);
  if (caught) body.on('error', () => res.destroy());
  body.pipe(res);
};
serve(http.createServer(routes({ ...ways, stream })));
