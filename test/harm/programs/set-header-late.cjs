const { http, released, routes, serve } = require('./service.cjs');

const etag = async (url) => {
  await released(url);
  return 'abc';
};
const late = async ({ url }, res) => {
  res.setHeader('etag', await etag(url));
  res.end('x');
};

serve(http.createServer(routes({ hold: late, stream: late, after: late })));
