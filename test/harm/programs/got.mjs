import got from 'got';
import service from './service.cjs';

const { http, routes, serve, texts } = service;

const ways = texts((url) => got(url).text());
serve(http.createServer(routes(ways)));
