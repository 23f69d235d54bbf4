import { NEVER, newContext, type Act, type Ctx, type End, type Foreign, type Op } from './acts';
import { within, type Moment } from './moment';
import { tallyAdapter, withGauges } from './observed';
import type { Samples, Tally } from './tally';
import { createTree, type Follow, type Seen } from './tree';
import { createWork } from './work';

/** A naive cancellation tree: it knows parents, deadlines, work and a clock, by the words of the design. */
export interface Model {
  /** Carries an act out, with everything that follows from it. */
  apply(act: Act): void;
  /** Contexts that have not ended. */
  readonly live: readonly Ctx[];
  /** Contexts started so far. */
  readonly started: number;
  /** Milliseconds. */
  readonly now: number;
  /** What the run came across that no figure tells. */
  readonly seen: Seen;
  /** The tally with what is only worked out when it is asked for: what lingers, and orphans that still run. */
  samples(): Samples;
}

export interface ModelOptions {
  readonly tally: Tally;
  /** Milliseconds. */
  readonly now: number;
  /** Milliseconds. */
  readonly orphanGrace: number;
  /** Milliseconds. */
  readonly lingerAfter: number;
  /** Whether durations are kept by name too. */
  readonly durationByName: boolean;
}

export function createModel(options: ModelOptions): Model {
  const { tally, now, orphanGrace, lingerAfter, durationByName } = options;
  const moment: Moment = {
    now,
    enforced: true,
    active: undefined,
    carried: undefined,
    synchronous: undefined,
  };
  const work = createWork(tally, moment, orphanGrace);
  const tree = createTree({ tally, moment, work, durationByName, tell });
  const { check, cancel, release } = tree;

  /** Native signals abort first, then `onEnd`s are called where they were registered, each in pre-order. */
  function tell(reached: readonly Ctx[]): void {
    for (const { hearers } of reached) for (const act of hearers ?? []) apply(act);
    for (const { listeners } of reached) {
      for (const { act, active, carried } of listeners ?? []) {
        within(moment, { active, carried, synchronous: moment.synchronous }, [act], apply);
      }
    }
  }

  function listen(ctx: Ctx, act: Act): void {
    check(ctx);
    const { active, carried } = moment;
    if (ctx.end === undefined) (ctx.listeners ??= []).push({ act, active, carried });
  }

  function derive({ made, from, ms, limit, signal, other }: Extract<Act, { do: 'derive' }>): void {
    if (other !== undefined) {
      tree.derive(made, from, NEVER);
      if (other.end !== undefined) endAs(made, other.end);
      else if (made.end === undefined) {
        const follow: Follow = { do: 'follow', made, other };
        listen(other, follow);
        tree.take(follow);
      }
      return;
    }
    tree.derive(made, from, ms, limit);
    if (signal === undefined || made.end !== undefined) return;
    if (signal.aborted) endBySignal(made, signal);
    else signal.followers.push(made);
  }

  function endAs(made: Ctx, { outcome, origin, retired }: End): void {
    if (retired) return;
    if (outcome === 'completed') release(made);
    else cancel(made, outcome, origin);
  }

  function endBySignal(ctx: Ctx, { timeout }: Foreign): void {
    cancel(ctx, timeout ? 'deadline_exceeded' : 'canceled', 'signal');
  }

  function settle(op: Op): void {
    const surroundings = { active: op.ctx, carried: op, synchronous: undefined };
    if (op.how === 'run') within(moment, surroundings, op.last, apply);
    work.settle(op);
    // A scope releases its context, and the clock comes first.
    if (op.how === 'scope') release(op.ctx);
  }

  function apply(act: Act): void {
    switch (act.do) {
      case 'derive':
        derive(act);
        break;
      case 'brief': {
        const made = newContext(act.name, false, false);
        tree.derive(made, act.from, NEVER);
        release(made);
        break;
      }
      case 'scope': {
        const { ctx } = act.op;
        tree.derive(ctx, act.from, act.ms);
        if (ctx.end === undefined || ctx.end.retired) work.begin(act.op);
        break;
      }
      case 'cancel':
        cancel(act.ctx, 'canceled', 'caller');
        break;
      case 'end': {
        const late = act.origin === 'deadline' || act.origin === 'remote_deadline';
        cancel(act.ctx, late ? 'deadline_exceeded' : 'canceled', act.origin, act.automatic);
        break;
      }
      case 'release':
        release(act.ctx);
        break;
      case 'retire':
        tree.retire(act.ctx);
        break;
      case 'check':
        check(act.ctx);
        break;
      case 'listen':
        listen(act.ctx, act.act);
        break;
      case 'hear':
        check(act.ctx);
        if (act.ctx.end === undefined) (act.ctx.hearers ??= []).push(act.act);
        break;
      case 'follow':
        if (act.other.end !== undefined) endAs(act.made, act.other.end);
        break;
      case 'begin':
        work.begin(act.op);
        break;
      case 'settle':
        settle(act.op);
        break;
      case 'run': {
        const { op } = act;
        work.begin(op);
        within(moment, { active: op.ctx, carried: op, synchronous: op }, act.acts, apply);
        work.settle(op);
        break;
      }
      case 'rootSpan':
        // Servers and consumers start from what the wire brought.
        if (act.kind !== 'server' && act.kind !== 'consumer') tree.breakChain('root_span');
        break;
      case 'abort':
        act.signal.aborted = true;
        for (const follower of act.signal.followers) endBySignal(follower, act.signal);
        break;
      case 'advance':
        tree.advance(act.ms);
        break;
      case 'block':
        moment.now += act.ms;
        break;
      case 'enforce':
        moment.enforced = act.on;
        break;
      case 'received':
      case 'refused':
      case 'stopped':
      case 'cleaned':
      case 'guarded':
        tallyAdapter(tally, act);
        break;
    }
  }

  return {
    apply,
    live: tree.live,
    seen: tree.seen,
    get started() {
      return tree.started;
    },
    get now() {
      return moment.now;
    },
    samples() {
      const { live } = tree;
      const { leftBehind } = work;
      return withGauges(tally.samples(), { live, leftBehind, now: moment.now, orphanGrace, lingerAfter });
    },
  };
}
