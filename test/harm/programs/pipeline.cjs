const { pipeline } = require('node:stream/promises');
const { http, routes, serve, texts } = require('./service.cjs');

const get = (url) => new Promise((resolve, reject) => http.get(url, resolve).on('error', reject));
const through = async ({ url }, res) => pipeline(await get(url), res);

const { after } = texts(async (url) => (await get(url)).resume());
serve(http.createServer(routes({ hold: through, stream: through, after })));
