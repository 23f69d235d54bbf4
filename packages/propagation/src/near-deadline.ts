/** The least that counts as near, in milliseconds, however small the budget: news of a close takes its time. */
const NEAR = 20;
/** The part of a budget that counts as near, however large it is. */
const NEAR_SHARE = 0.1;

/**
 * Whether a close that comes with `left` of a peer's budget is the peer's deadline, and not a change of its mind: a peer
 * that runs out of time closes, and the news of it often overtakes our own clock, which has started later. The close is
 * then `remote_deadline`, else `client_disconnect`.
 *
 * @param left Milliseconds until the budget is spent by our clock; negative once it is.
 * @param budget The budget in milliseconds, as the peer sent it.
 * @returns `true` with less than 20 ms or less than a tenth of the budget left, whichever is more. Never throws.
 * @example
 * ```ts
 * import { isNearDeadline } from '@curfew/propagation';
 * isNearDeadline(15, 50); // => true
 * isNearDeadline(90, 1_000); // => true
 * isNearDeadline(110, 1_000); // => false
 * ```
 */
export function isNearDeadline(left: number, budget: number): boolean {
  return left < Math.max(NEAR, NEAR_SHARE * budget);
}
