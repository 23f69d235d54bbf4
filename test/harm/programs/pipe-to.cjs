const { Writable } = require('node:stream');
const { http, routes, serve, texts } = require('./service.cjs');

const through = async ({ url }, res) => (await fetch(url)).body.pipeTo(Writable.toWeb(res));

const { after } = texts(async (url) => (await fetch(url)).body.pipeTo(new WritableStream()));
serve(http.createServer(routes({ hold: through, stream: through, after })));
