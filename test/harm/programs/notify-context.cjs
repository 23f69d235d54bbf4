const { background, notifyContext, onEnd } = require('@curfew/context');
const { http, serve } = require('./service.cjs');

const [shutdown] = notifyContext(background(), 'SIGTERM');
const server = http.createServer((_, res) => res.end('x'));
serve(server);
onEnd(shutdown, () => {
  console.log('shutting down');
  server.close();
});
