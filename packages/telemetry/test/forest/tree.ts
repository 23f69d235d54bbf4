import { NEVER, type Act, type Ctx, type Due, type End, type From, type Origin, type Reason } from './acts';
import { createDueQueue } from './due-queue';
import { subtree, type Moment } from './moment';
import type { Tally } from './tally';
import type { Work } from './work';

/** Contexts, their deadlines and their ends. */
export interface Tree {
  /** Contexts that have not ended. */
  readonly live: readonly Ctx[];
  /** Contexts started so far. */
  readonly started: number;
  readonly seen: Seen;
  /** Starts a context with a deadline in `ms`, unless it is born done; with `limit` an adapter's, on a root. */
  derive(made: Ctx, from: From, ms: number, limit?: boolean): void;
  /** A context that started from a root, although another one was active. */
  breakChain(cause: string): void;
  /** Compares the clock, as whoever asks a context does. */
  check(ctx: Ctx): void;
  /** `automatic` where nobody asked for it but an adapter. */
  cancel(ctx: Ctx, reason: Reason, origin: Origin, automatic?: boolean): void;
  release(ctx: Ctx): void;
  retire(ctx: Ctx): void;
  /** Gives a merged context the earliest deadline that the other one has now, in place of the one that it had, if any. */
  take(follow: Follow): void;
  /** Lets time pass, with the timers that fire in it. */
  advance(ms: number): void;
}

/** What is merged with what. */
export type Follow = Extract<Act, { do: 'follow' }>;

/** Proof that a run was as varied as it is meant to be. */
export interface Seen {
  /** The depths at which cancellations started. */
  readonly depths: ReadonlySet<number>;
  /** Cancellations that started in a listener of another one. */
  readonly reentrant: number;
}

export interface TreeParts {
  readonly tally: Tally;
  readonly moment: Moment;
  readonly work: Work;
  readonly durationByName: boolean;
  /** Lets happen what was to happen at the end of these contexts. */
  tell(reached: readonly Ctx[]): void;
}

/** Of the spans open at a cancellation, so many are marked; the rest are counted as overflows. */
const MAX_MARKED_SPANS = 1000;

export function createTree({ tally, moment, work, durationByName, tell }: TreeParts): Tree {
  const live: Ctx[] = [];
  const timers = createDueQueue();
  /** Merged contexts that are still to take the deadline that the other one has now. */
  const untold: Follow[] = [];
  const seen = { depths: new Set<number>(), reentrant: 0 };
  let started = 0;
  /** Ends being told at this moment, one within the other. */
  let telling = 0;

  /** The earliest deadline on the path; of equal ones, the one furthest up. */
  function earliest(ctx: Ctx): Due | undefined {
    let found: Due | undefined;
    let least = NEVER;
    for (let at: Ctx | undefined = ctx; at !== undefined; at = at.parent) {
      if (at.due === undefined || at.fate !== 'ends' || at.due.at > least) continue;
      found = at.due;
      least = at.due.at;
    }
    return found;
  }

  function check(ctx: Ctx): void {
    while (ctx.end === undefined) {
      const first = earliest(ctx);
      if (first === undefined || first.at > moment.now) return;
      expire(first, 'check');
    }
  }

  function expire({ ctx, at }: Due, detectedBy: 'timer' | 'check'): void {
    if (ctx.fate !== 'ends') {
      tellLimit(ctx);
      return;
    }
    tally.measure('curfew.deadline.lateness', `curfew_detected_by="${detectedBy}"`, moment.now - at);
    finish(ctx, { outcome: 'deadline_exceeded', origin: 'deadline', retired: false, at });
  }

  /**
   * Changes deadlines above these contexts, or their own. A timer is armed for each that no ancestor's covers any
   * more, and what is merged with one that has another deadline now has to take that.
   */
  function rearrange(contexts: readonly Ctx[], change: () => void): void {
    const former = contexts.map(earliest);
    change();
    contexts.forEach((ctx, index) => {
      const first = earliest(ctx);
      if (first !== undefined && first === ctx.due && first.order === undefined) timers.add(first);
      if (first !== former[index]) tellFollowers(ctx);
    });
  }

  /** What is merged with it is to take what there is now; once, if it was to do so anyway. */
  function tellFollowers(other: Ctx): void {
    for (const { act } of other.listeners ?? []) {
      if (act.do === 'follow' && !untold.includes(act)) untold.push(act);
    }
  }

  function take({ made, other }: Follow): void {
    if (made.end !== undefined) return;
    rearrange(subtree(made), () => {
      const first = other.end === undefined ? earliest(other) : undefined;
      made.due = first && { ctx: made, at: first.at, order: undefined };
    });
  }

  function cancel(ctx: Ctx, reason: Reason, origin: Origin, automatic = false): void {
    check(ctx);
    if (ctx.end !== undefined) return;
    if (moment.enforced || !automatic) {
      finish(ctx, { outcome: reason, origin, retired: false, at: moment.now });
      return;
    }
    // Only what would have ended it first is told.
    if (!overLimit(ctx)) observe(reason, origin);
    retire(ctx);
  }

  /** Whether a limit has passed that observe mode only tells of. */
  function overLimit(ctx: Ctx): boolean {
    return ctx.fate !== 'ends' && ctx.due !== undefined && ctx.due.at <= moment.now;
  }

  /** Marks the subtree, then tells. */
  function finish(root: Ctx, end: End): void {
    root.parent?.children?.delete(root);
    const reached = subtree(root);
    for (const ctx of reached) markEnded(ctx, end);
    if (end.outcome === 'completed') {
      tell(reached);
    } else {
      const reason = `curfew_cancel_reason="${end.outcome}"`;
      const labels = `curfew_cancel_origin="${end.origin}",${reason},${root.label}`;
      tally.count('curfew.context.cancellations', labels);
      tally.measure('curfew.cancel.fanout', reason, reached.length - 1);
      tallyUnmarkedSpans(reached);
      for (const ctx of reached) work.leaveBehind(ctx, end.outcome, end.at);
      seen.depths.add(root.depth);
      if (telling++ > 0) seen.reentrant++;
      tell(reached);
      telling--;
      const boundary = 'curfew_propagation_boundary="in_process"';
      tally.measure('curfew.cancel.propagation.duration', `${reason},${boundary}`, moment.now - end.at);
    }
    for (const ctx of reached) letGo(ctx);
  }

  function markEnded(ctx: Ctx, end: End): void {
    // Before its timer came, which is late.
    if (overLimit(ctx)) tellLimit(ctx);
    ctx.end = end;
    const last = live.pop() as Ctx;
    if (last !== ctx) {
      live[ctx.place] = last;
      last.place = ctx.place;
    }
    const outcome = `curfew_context_outcome="${end.outcome}"`;
    tally.count('curfew.context.ended', ctx.label, outcome);
    const labels = durationByName ? `${ctx.label},${outcome}` : outcome;
    tally.measure('curfew.context.duration', labels, moment.now - ctx.startedAt);
  }

  /** A context that something still holds must not hold the rest of its tree. */
  function letGo(ctx: Ctx): void {
    ctx.parent = undefined;
    ctx.children = undefined;
    ctx.listeners = undefined;
    ctx.hearers = undefined;
  }

  function tallyUnmarkedSpans(reached: readonly Ctx[]): void {
    let spans = 0;
    for (const { operations } of reached) for (const { how } of operations ?? []) if (how === 'span') spans++;
    const unmarked = spans - MAX_MARKED_SPANS;
    if (unmarked > 0) tally.count('curfew.sdk.overflows', 'curfew_sdk_limit="span"', '', unmarked);
  }

  /** A request that finished: completed, nobody is told, its children go on without it and its deadline. */
  function retire(ctx: Ctx): void {
    if (ctx.end !== undefined) return;
    markEnded(ctx, { outcome: 'completed', origin: 'caller', retired: true, at: moment.now });
    ctx.parent?.children?.delete(ctx);
    tellFollowers(ctx);
    const children = [...(ctx.children ?? [])];
    rearrange(children.flatMap(subtree), () => {
      for (const child of children) child.parent = undefined;
    });
    letGo(ctx);
    // Each in its turn, before anybody can look at one of them.
    for (let follow = untold.shift(); follow !== undefined; follow = untold.shift()) take(follow);
  }

  /** Observe mode: what Curfew adds is told, and not carried out. */
  function observe(reason: Reason, origin: Origin): void {
    const labels = `curfew_cancel_origin="${origin}",curfew_cancel_reason="${reason}"`;
    tally.count('curfew.cancel.observed', labels);
  }

  function tellLimit(ctx: Ctx): void {
    if (ctx.fate === 'observed') observe('deadline_exceeded', 'deadline');
    ctx.fate = 'told';
  }

  function breakChain(cause: string): void {
    if (moment.active === undefined || moment.active.end !== undefined) return;
    tally.count('curfew.chain.breaks', `curfew_break_cause="${cause}"`);
  }

  /** Puts a context under its parent; `false` where it is born done. */
  function link(made: Ctx, parent: Ctx): boolean {
    check(parent);
    if (parent.end === undefined) {
      made.parent = parent;
      made.depth = parent.depth + 1;
      (parent.children ??= new Set()).add(made);
    } else if (!parent.end.retired) made.end = parent.end;
    return made.end === undefined;
  }

  return {
    live,
    seen,
    get started() {
      return started;
    },
    derive(made, from, ms, limit = false) {
      if (typeof from === 'string') breakChain(from);
      else if ('name' in from && !link(made, from)) return;
      started++;
      made.label = tally.label('name', made.name);
      made.startedAt = moment.now;
      made.place = live.push(made) - 1;
      if (ms === NEVER) return;
      const due: Due = { ctx: made, at: moment.now + ms, order: undefined };
      made.due = due;
      if (limit && !moment.enforced) made.fate = 'observed';
      else if (earliest(made) !== due) return;
      if (ms <= 0) expire(due, 'check');
      else timers.add(due);
    },
    breakChain,
    check,
    cancel,
    release(ctx) {
      check(ctx);
      if (ctx.end !== undefined) return;
      if (work.runsUnder(ctx)) cancel(ctx, 'canceled', 'caller');
      else finish(ctx, { outcome: 'completed', origin: 'caller', retired: false, at: moment.now });
    },
    retire(ctx) {
      check(ctx);
      retire(ctx);
    },
    take,
    advance(ms) {
      const until = moment.now + ms;
      for (let first = timers.first(); first !== undefined && first.at <= until; first = timers.first()) {
        moment.now = Math.max(moment.now, first.at);
        // Once the timer has fired, everything is noticed that has passed meanwhile.
        for (let next: Due | undefined = first; next !== undefined && next.at <= moment.now;) {
          expire(next, 'timer');
          next = timers.first();
        }
      }
      moment.now = Math.max(moment.now, until);
    },
  };
}
