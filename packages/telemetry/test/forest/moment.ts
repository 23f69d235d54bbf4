import type { Act, Ctx, Op } from './acts';

/** The surroundings in which an act happens. */
export interface Moment {
  /** Milliseconds. */
  now: number;
  /** `false` in observe mode. */
  enforced: boolean;
  /** What OpenTelemetry's active context carries: a context, and the operation that it was made active for. */
  active: Ctx | undefined;
  carried: Op | undefined;
  /** The innermost `run` that is on the stack. */
  synchronous: Op | undefined;
}

/** Carries acts out in other surroundings, and comes back to these. */
export function within(
  moment: Moment,
  surroundings: Pick<Moment, 'active' | 'carried' | 'synchronous'>,
  acts: readonly Act[],
  apply: (act: Act) => void,
): void {
  const { active, carried, synchronous } = moment;
  Object.assign(moment, surroundings);
  for (const act of acts) apply(act);
  Object.assign(moment, { active, carried, synchronous });
}

/** The context and everything under it, in pre-order. */
export function subtree(root: Ctx): Ctx[] {
  const found: Ctx[] = [];
  const waiting = [root];
  for (let ctx = waiting.pop(); ctx !== undefined; ctx = waiting.pop()) {
    found.push(ctx);
    if (ctx.children !== undefined) waiting.push(...[...ctx.children].reverse());
  }
  return found;
}
