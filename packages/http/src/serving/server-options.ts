/** How the context of a request ends. */
export interface ServerOptions {
  /** The server's own limit for each request, in milliseconds. A shorter budget of the client's goes before it. */
  readonly timeout?: number;
  /**
   * What happens to the context when the response has finished. `'retire'`, the default: it completes, its signal
   * never aborts, and work after the response goes on. `'cancel'`, as in Go: it is cancelled.
   */
  readonly endOnFinish?: 'retire' | 'cancel';
}

/** Refuses bad options where they are given: the first request would be a poor place to learn of them. */
export function checkServerOptions(options: ServerOptions): void {
  const given: unknown = options;
  if (typeof given !== 'object' || given === null) {
    throw new TypeError(`options must be an object, got ${String(given)}`);
  }
  const { timeout, endOnFinish } = given as Record<keyof ServerOptions, unknown>;
  if (timeout !== undefined) {
    if (typeof timeout !== 'number') {
      throw new TypeError(`options.timeout must be a number of milliseconds, got ${typeof timeout}`);
    }
    // NaN too, as it comes from a variable of the environment that is not set.
    if (!(timeout >= 0))
      throw new RangeError(`options.timeout must be 0 or more milliseconds, got ${timeout}`);
  }
  if (endOnFinish !== undefined && endOnFinish !== 'retire' && endOnFinish !== 'cancel') {
    throw new TypeError(`options.endOnFinish must be 'retire' or 'cancel', got ${String(endOnFinish)}`);
  }
}
