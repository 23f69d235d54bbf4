import { wrongType } from './arguments';
import { AUTOMATIC } from './keys';

let installed = 0;

/**
 * Guards the process against errors of automatic cancellations that nobody handles; returns how to undo it. Every
 * automatic form installs it, and the last one to go takes it away.
 *
 * @example
 * ```ts
 * import { guarded, installGuard } from '@curfew/context/spi';
 * const uninstall = installGuard();
 * guarded(); // => true
 * uninstall();
 * ```
 */
export function installGuard(): () => void {
  installed++;
  let present = true;
  return () => {
    if (present) installed--;
    present = false;
  };
}

/**
 * Whether the process is guarded now, so that automatic calls may be ended.
 *
 * @example
 * ```ts
 * import { guarded } from '@curfew/context/spi';
 * guarded(); // => false
 * ```
 */
export function guarded(): boolean {
  return wanted && installed > 0;
}

let wanted = true;

/**
 * `false` keeps the guard away, and with it every automatic cancellation of a call: `CURFEW_GUARD=0`. Returns how to put
 * the former choice back.
 *
 * @throws TypeError if `on` is no boolean.
 * @example
 * ```ts
 * import { cancelsAutomatically, installGuard, setGuard } from '@curfew/context/spi';
 * const uninstall = installGuard();
 * const restore = setGuard(false);
 * cancelsAutomatically(); // => false
 * restore();
 * cancelsAutomatically(); // => true
 * uninstall();
 * ```
 */
export function setGuard(on: boolean): () => void {
  if (typeof on !== 'boolean') throw wrongType('on', 'a boolean', on);
  const former = wanted;
  wanted = on;
  return () => {
    wanted = former;
  };
}

/** How many causes deep `isAutomatic` looks. */
const MAX_CAUSES = 16;

/**
 * Whether an error is that of an automatic cancellation, or wraps one. Never throws.
 *
 * @example
 * ```ts
 * import { isAutomatic, markAutomatic } from '@curfew/context/spi';
 * const cause = markAutomatic(new Error('socket hang up'));
 * isAutomatic(new Error('the price service failed', { cause })); // => true
 * ```
 */
export function isAutomatic(error: unknown): boolean {
  try {
    let current = error;
    for (let depth = 0; depth < MAX_CAUSES; depth++) {
      if ((typeof current !== 'object' && typeof current !== 'function') || current === null) return false;
      if ((current as { [AUTOMATIC]?: unknown })[AUTOMATIC] === true) return true;
      current = (current as { cause?: unknown }).cause;
    }
  } catch {
    // A getter of a stranger's error threw: that error is not one of ours.
  }
  return false;
}
