import type { Ctx, Op, Reason } from './acts';
import { subtree, type Moment } from './moment';
import type { Tally } from './tally';

/** Work as the model knows it: in flight, left behind by its context, settled. */
export interface Work {
  begin(op: Op): void;
  settle(op: Op): void;
  /** Whether work runs in the subtree, other than what the code of this moment itself runs in. */
  runsUnder(root: Ctx): boolean;
  /** A context ended for a reason: its work is in flight from now on without it. */
  leaveBehind(ctx: Ctx, reason: Reason, at: number): void;
  /** Work whose context has ended for a reason, and that runs on. */
  readonly leftBehind: ReadonlySet<Op>;
}

/** @param orphanGrace Milliseconds. */
export function createWork(tally: Tally, moment: Moment, orphanGrace: number): Work {
  const leftBehind = new Set<Op>();

  function outlive(op: Op, reason: Reason, at: number): void {
    op.endedAt = at;
    op.reason = reason;
    leftBehind.add(op);
  }

  function isOwn(op: Op): boolean {
    for (let up = moment.carried ?? moment.synchronous; up !== undefined; up = up.parent) {
      if (up === op) return true;
    }
    return false;
  }

  return {
    leftBehind,
    begin(op) {
      const { ctx } = op;
      op.label = tally.label('kind', op.kind);
      op.parent = moment.carried ?? moment.synchronous;
      op.startedAt = moment.now;
      tally.count('curfew.operation.active', op.label);
      (ctx.operations ??= new Set()).add(op);
      // Work that starts under a context that has ended is in flight from its own start.
      if (ctx.end !== undefined && ctx.end.outcome !== 'completed') outlive(op, ctx.end.outcome, moment.now);
    },
    settle(op) {
      if (op.settled) return;
      op.settled = true;
      op.ctx.operations?.delete(op);
      tally.count('curfew.operation.active', op.label, '', -1);
      if (!leftBehind.delete(op)) return;
      const took = moment.now - op.endedAt;
      const labels = `curfew_cancel_reason="${op.reason}",${op.label}`;
      tally.measure('curfew.cancel.settle.duration', labels, took);
      if (took < orphanGrace) return;
      tally.count('curfew.orphan.operations', labels);
      tally.count('curfew.orphan.time', labels, '', took);
    },
    runsUnder(root) {
      for (const { operations } of subtree(root)) {
        for (const op of operations ?? []) if (op.how !== 'span' && !isOwn(op)) return true;
      }
      return false;
    },
    leaveBehind(ctx, reason, at) {
      // A deadline may have passed unnoticed before the work began: what had not begun wasted no time.
      for (const op of ctx.operations ?? []) outlive(op, reason, Math.max(at, op.startedAt));
    },
  };
}
