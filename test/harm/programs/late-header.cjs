const { http, released, routes, serve } = require('./service.cjs');

/** Waits in the middle of a call whose method was looked up before. */
const waited = async (url, value) => {
  await released(url);
  return value;
};
const CALLS = {
  setHeader: async ({ url }, res) => res.setHeader('etag', await waited(url, 'abc')),
  appendHeader: async ({ url }, res) => res.appendHeader('etag', await waited(url, 'abc')),
  removeHeader: async ({ url }, res) => res.removeHeader(await waited(url, 'etag')),
  writeHead: async ({ url }, res) => res.writeHead(await waited(url, 201)),
  write: async ({ url }, res) => res.write(await waited(url, 'y')),
  // Not only looked up: bound beforehand, as wrappers do, and taken from where it stands.
  bound: async ({ url }, res) => {
    const set = res.setHeader.bind(res);
    set('etag', await waited(url, 'abc'));
  },
  prototype: async ({ url }, res) => {
    await released(url);
    http.ServerResponse.prototype.setHeader.call(res, 'etag', 'abc');
  },
};
const call = CALLS[process.env.METHOD];

serve(
  http.createServer(
    routes({
      async hold(asked, res) {
        await call(asked, res);
        res.end('x');
      },
    }),
  ),
);
