import { AsyncLocalStorage } from 'node:async_hooks';

/**
 * Calls a function as if this file's loader did, outside of every request: what it opens or arms must not keep the one
 * alive, nor see the context or the stores of the one, that happened to call.
 */
export const outsideRequests: <T>(fn: () => T) => T = AsyncLocalStorage.snapshot();
