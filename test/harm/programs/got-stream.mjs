import { pipeline } from 'node:stream/promises';
import got from 'got';
import service from './service.cjs';

const { http, routes, serve, texts } = service;

const { after } = texts((url) => got(url).text());
const through = async ({ url }, res) => pipeline(got.stream(url), res);
serve(http.createServer(routes({ hold: through, stream: through, after })));
