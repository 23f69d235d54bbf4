export type { Handle } from './handle';
export type { StartOptions } from './settings/options';
export { start } from './start';
