import fetch from 'node-fetch';
import service from './service.cjs';

const { http, routes, serve, texts } = service;

const ways = texts(async (url) => (await fetch(url)).text());
const stream = async ({ url, caught }, res) => {
  const { body } = await fetch(url);
  if (caught) body.on('error', () => res.destroy());
  body.pipe(res);
};
serve(http.createServer(routes({ ...ways, stream })));
