export type { Handle } from './handle';
export type { StartOptions } from './options';
export { start } from './start';
