import { checkChoice, checkLimit, checkOptions } from '@curfew/context/spi';

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
  checkOptions(options, 'options');
  checkLimit(options.timeout, 'options.timeout');
  checkChoice(options.endOnFinish, 'options.endOnFinish', ['retire', 'cancel']);
}
