const { asked, http, serve } = require('./service.cjs');

serve(
  http.createServer((req, res) => {
    const { url, caught, kind } = asked(req.url);
    if (kind === 'after') res.end('done');
    const call = http.get(url, (up) => {
      if (caught) up.on('error', () => res.destroy());
      if (kind === 'after') up.resume();
      else up.pipe(res);
    });
    if (caught) call.on('error', () => (res.headersSent ? res.destroy() : res.writeHead(502).end()));
  }),
);
