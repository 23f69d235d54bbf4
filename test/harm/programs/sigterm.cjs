const { http, serve } = require('./service.cjs');

const server = http.createServer((_, res) => res.end('x'));
serve(server);
process.once('SIGTERM', () => {
  console.log('shutting down');
  server.close();
});
