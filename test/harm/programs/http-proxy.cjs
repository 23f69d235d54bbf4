const { UPSTREAM, http, serve } = require('./service.cjs');
const proxy = require('http-proxy').createProxyServer({ target: UPSTREAM });

serve(http.createServer((req, res) => proxy.web(req, res)));
