const { http, routes, serve } = require('./service.cjs');

/** One branch goes to the client; the other is read for a log that nobody waits for. */
const through = async ({ url, kind }, res) => {
  if (kind === 'after') res.end('done');
  const [body, log] = (await fetch(url)).body.tee();
  void new Response(log).text();
  for await (const chunk of body) if (kind !== 'after') res.write(chunk);
  res.end();
};

serve(http.createServer(routes({ hold: through, stream: through, after: through })));
