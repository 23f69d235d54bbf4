require('reflect-metadata');
const { Readable } = require('node:stream');
const { Controller, Get, HttpException, Module, Req, StreamableFile } = require('@nestjs/common');
const { NestFactory } = require('@nestjs/core');
const { asked, counted, serve } = require('./service.cjs');

const audit = counted(async (url) => void (await (await fetch(url)).text()));
const respond = counted(async ({ kind, url }) => {
  if (kind === 'after') {
    void audit(url);
    return 'done';
  }
  const up = await fetch(url);
  return kind === 'stream' ? new StreamableFile(Readable.fromWeb(up.body)) : up.text();
});

class Calls {
  bare(req) {
    return respond(asked(req.url));
  }
  async caught(req) {
    try {
      return await respond(asked(req.url));
    } catch {
      throw new HttpException('failed', 502);
    }
  }
}
class App {}

// What decorators come to in plain JavaScript.
for (const [method, path] of [
  ['bare', 'bare/:kind/:key'],
  ['caught', 'catch/:kind/:key'],
]) {
  Req()(Calls.prototype, method, 0);
  Get(path)(Calls.prototype, method, Object.getOwnPropertyDescriptor(Calls.prototype, method));
}
Controller()(Calls);
Module({ controllers: [Calls] })(App);

void (async () => {
  const app = await NestFactory.create(App, { logger: false });
  await app.init();
  serve(app.getHttpServer());
})();
