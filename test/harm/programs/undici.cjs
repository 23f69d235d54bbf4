const { request } = require('undici');
const { http, routes, serve, texts } = require('./service.cjs');

const ways = texts(async (url) => (await request(url)).body.text());
const stream = async ({ url, caught }, res) => {
  const { body } = await request(url);
  if (caught) body.on('error', () => res.destroy());
  body.pipe(res);
};
serve(http.createServer(routes({ ...ways, stream })));
