import { checkLimit, checkOptions, wrongType } from '@curfew/context/spi';
import type { PgOptions } from './types';

/**
 * Refuses options of the wrong kind by name and at once, before they decide about any query.
 *
 * @throws TypeError or RangeError.
 */
export function checkPgOptions(options: PgOptions): void {
  checkOptions(options, 'options');
  checkLimit(options.cancelTimeout, 'options.cancelTimeout');
  checkLimit(options.grace, 'options.grace');
  // 'false' from the environment would be true.
  if (options.track !== undefined && typeof options.track !== 'boolean') {
    throw wrongType('options.track', 'a boolean', options.track);
  }
}
