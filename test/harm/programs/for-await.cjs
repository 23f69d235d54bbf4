const { http, routes, serve } = require('./service.cjs');

const through = async ({ url, kind }, res) => {
  if (kind === 'after') res.end('done');
  for await (const chunk of (await fetch(url)).body) if (kind !== 'after') res.write(chunk);
  res.end();
};

serve(http.createServer(routes({ hold: through, stream: through, after: through })));
