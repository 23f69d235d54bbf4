// A server whose handlers never finish by themselves, and what they do meanwhile.
'use strict';
const { once, EventEmitter } = require('node:events');
const http = require('node:http');
const { SpanKind, SpanStatusCode, trace } = require('@opentelemetry/api');
const { active, onEnd, withCancel } = require('@curfew/context');

const tracer = trace.getTracer('service');

/** Work under the request's context as applications write it: what fails says so, on its own span. */
function work(ctx) {
  const [step] = withCancel(ctx, { name: 'step' });
  tracer.startSpan('done', {}, step).end();
  const parse = tracer.startSpan('parse', {}, step);
  const attributes = { 'db.system.name': 'postgresql' };
  const query = tracer.startSpan('query', { kind: SpanKind.CLIENT, attributes }, step);
  onEnd(step, () => {
    fail(query, Object.assign(new Error('canceling statement due to user request'), { code: '57014' }));
    fail(parse, step.err());
  });
}

function fail(span, error) {
  span.setAttribute('error.type', error.code);
  span.recordException(error);
  span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
  span.end();
}

/** Starts the server, which tells `reached` and `closed` of each request. `?head=200` makes it send the head. */
exports.startService = async function startService() {
  const service = new EventEmitter();
  const server = http.createServer((request, response) => {
    const { searchParams } = new URL(request.url, 'http://localhost');
    work(active());
    if (searchParams.has('head')) response.writeHead(Number(searchParams.get('head'))).write('x');
    response.once('close', () => service.emit('closed'));
    service.emit('reached');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  service.url = `http://127.0.0.1:${server.address().port}`;
  service.stop = () => {
    server.close();
    server.closeAllConnections();
  };
  return service;
};
