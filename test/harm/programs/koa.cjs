const { once } = require('node:events');
const { Readable } = require('node:stream');
const { asked, counted, http, serve } = require('./service.cjs');
const Koa = require('koa');

const app = new Koa();
app.silent = true;

const audited = counted(async (res, url) => {
  await once(res, 'finish');
  await (await fetch(url)).text();
});
const respond = counted(async (ctx, { kind, url }) => {
  if (kind === 'after') {
    ctx.body = 'done';
    // The answer goes out once this has returned.
    return void audited(ctx.res, url);
  }
  const up = await fetch(url);
  ctx.body = kind === 'stream' ? Readable.fromWeb(up.body) : await up.text();
});
app.use(async (ctx) => {
  const call = asked(ctx.url);
  if (!call.caught) return respond(ctx, call);
  try {
    await respond(ctx, call);
  } catch {
    ctx.status = 502;
  }
});
serve(http.createServer(app.callback()));
