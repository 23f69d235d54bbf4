const { UPSTREAM, http, serve } = require('./service.cjs');
const { createProxyMiddleware } = require('http-proxy-middleware');
const app = require('express')();

app.use(createProxyMiddleware({ target: UPSTREAM }));
serve(http.createServer(app));
