export { fetch, instrumentFetch } from './calling/instrument-fetch';
export { instrumentHttpRequest, request } from './calling/instrument-request';
export { setAllowedHosts } from './calling/outgoing-call';
export {
  instrumentServer,
  type InstrumentServerOptions,
  type ServerInstrumentation,
} from './serving/instrument-server';
export { middleware, wrapListener, type ListenerOptions, type Middleware } from './serving/listener';
export { requestContext } from './serving/served-request';
export type { ServerOptions } from './serving/server-options';
export { beginShutdown } from './serving/shutdown';
export { wrapUpgrade } from './serving/upgrade';
