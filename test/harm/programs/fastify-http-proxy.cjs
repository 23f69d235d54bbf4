const { UPSTREAM, serve } = require('./service.cjs');
const app = require('fastify')();

app.register(require('@fastify/http-proxy'), { upstream: UPSTREAM });
void app.ready().then(() => serve(app.server));
