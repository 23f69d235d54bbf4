export { fetch, instrumentFetch } from './instrument-fetch';
export { instrumentHttpRequest, request } from './instrument-request';
export {
  instrumentServer,
  type InstrumentServerOptions,
  type ServerInstrumentation,
} from './instrument-server';
export { middleware, wrapListener, type ListenerOptions, type Middleware } from './listener';
export { setAllowedHosts } from './outgoing-call';
export { requestContext } from './served-request';
export type { ServerOptions } from './server-options';
export { beginShutdown } from './shutdown';
export { wrapUpgrade } from './upgrade';
