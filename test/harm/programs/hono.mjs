import { createAdaptorServer } from '@hono/node-server';
import { Hono } from 'hono';
import service from './service.cjs';

const { asked, counted, serve } = service;
const app = new Hono();

const audit = counted(async (url) => void (await (await fetch(url)).text()));
const respond = counted(async (c, { kind, url }) => {
  if (kind === 'after') {
    void audit(url);
    return c.text('done');
  }
  const up = await fetch(url);
  return kind === 'stream' ? c.body(up.body) : c.text(await up.text());
});
app.get('/:style/:kind/:key', async (c) => {
  const call = asked(c.req.path);
  if (!call.caught) return respond(c, call);
  try {
    return await respond(c, call);
  } catch {
    return c.text('failed', 502);
  }
});
app.onError((_, c) => c.text('failed', 500));
serve(createAdaptorServer({ fetch: app.fetch }));
