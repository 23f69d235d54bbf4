const https = require('node:https');
const { routes, serve, texts } = require('./service.cjs');

const options = { cert: process.env.CERTIFICATE, key: process.env.KEY };
serve(https.createServer(options, routes(texts(async (url) => (await fetch(url)).text()))));
