const { Readable } = require('node:stream');
const { asked, counted, serve } = require('./service.cjs');
const app = require('fastify')();

const respond = counted(async ({ kind, url }, reply) => {
  if (kind === 'after') reply.send('done');
  const up = await fetch(url);
  if (kind === 'stream') return reply.send(Readable.fromWeb(up.body));
  const text = await up.text();
  return kind === 'hold' ? text : reply;
});
app.get('/bare/:kind/:key', (req, reply) => respond(asked(req.url), reply));
app.get('/catch/:kind/:key', async (req, reply) => {
  try {
    return await respond(asked(req.url), reply);
  } catch {
    return reply.sent ? reply : reply.code(502).send();
  }
});
void app.ready().then(() => serve(app.server));
