const axios = require('axios');
const { http, routes, serve, texts } = require('./service.cjs');

const ways = texts(async (url) => String((await axios.get(url)).data));
const stream = async ({ url, caught }, res) => {
  const { data } = await axios.get(url, { responseType: 'stream' });
  if (caught) data.on('error', () => res.destroy());
  data.pipe(res);
};
serve(http.createServer(routes({ ...ways, stream })));
