import {
  NEVER,
  newContext,
  newOperation,
  type Act,
  type Ctx,
  type Foreign,
  type From,
  type Op,
} from './acts';
import type { Model } from './model';
import type { Random } from './random';

const SPAN_KINDS = ['internal', 'server', 'client', 'producer', 'consumer'] as const;
/** With the kinds of spans more than the ten that are kept apart. */
const WORK_KINDS = [
  'internal',
  'client',
  'db',
  'cache',
  'queue',
  'file',
  'dns',
  'lock',
  'batch',
  'mail',
] as const;
/** More than the twelve that are kept apart. */
const SOURCES = 15;
const ORIGINS = [
  'caller',
  'deadline',
  'client_disconnect',
  'remote_deadline',
  'remote_cancel',
  'shutdown',
  'sibling_failed',
  'signal',
] as const;
const INBOUNDS = ['ok', 'none', 'malformed', 'too_large', 'clock_skew'] as const;
const CLEANED = ['completed', 'failed', 'timed_out'] as const;
const STOPS = ['canceled', 'completed', 'failed', 'timed_out'] as const;
/** What an exposition has to escape, or an object would stumble over. */
const ODD_NAMES = ['quo"te', 'back\\slash', 'comma, {brace}=', '🦉', '__proto__', 'constructor'] as const;

/** Contexts remembered, whatever has become of them: what has ended is still asked, cancelled and derived from. */
const REMEMBERED = 64;
const SIGNALS = 8;

/** The single draws that a forest is made of. */
export interface Draws {
  /** While it is true there are fractions of milliseconds, and no deadlines. */
  fine: boolean;
  name(): string | undefined;
  kind(how: Op['how']): string;
  /** Milliseconds. */
  timeout(from: From): number;
  /** Milliseconds that pass while timers can fire. */
  passing(): number;
  /** Milliseconds that the event loop is blocked for. */
  blocked(): number;
  remember(ctx: Ctx): void;
  living(): Ctx;
  /** A context made lately, or any that lives. */
  recent(): Ctx;
  /** This one, or one further up, as likely at every height. */
  above(ctx: Ctx): Ctx;
  parent(): From;
  signal(): Foreign;
  ending(ctx: Ctx): Act;
  /** What happens in a listener. */
  heard(): Act;
  /** What happens in a synchronous `run`. */
  inside(ctx: Ctx): readonly Act[];
  /** What an asynchronous `run` does before it returns. */
  lastActs(ctx: Ctx): readonly Act[];
  adapter(): Act;
}

export function createDraws(model: Model, random: Random, names: number): Draws {
  const remembered: Ctx[] = [];
  const signals: Foreign[] = [];
  /** The last one made. */
  let tip = newContext(undefined, false, false);

  const draws: Draws = {
    fine: false,
    name() {
      if (random.chance(0.01)) return undefined;
      return random.chance(0.01) ? random.pick(ODD_NAMES) : `name-${random.below(names)}`;
    },
    kind: (how) => (how === 'span' ? random.pick(SPAN_KINDS) : random.pick(WORK_KINDS)),
    timeout(from) {
      if (draws.fine || random.chance(0.85)) return NEVER;
      if (random.chance(0.03)) return -random.below(20);
      const inherited = typeof from === 'object' && 'name' in from ? earliest(from) : NEVER;
      // The parent's own instant, now and then: an equal deadline of the parent covers it.
      if (inherited !== NEVER && random.chance(0.1)) return inherited - model.now;
      return random.magnitude(1, 600_000);
    },
    passing() {
      if (random.chance(0.004)) return random.magnitude(1000, 300_000);
      return random.below(20);
    },
    blocked() {
      if (draws.fine) return random.below(160) / 128;
      return random.chance(0.02) ? random.magnitude(100, 20_000) : random.magnitude(1, 300);
    },
    remember(ctx) {
      tip = ctx;
      remembered[random.below(REMEMBERED)] = ctx;
    },
    living,
    recent: () => (random.chance(0.2) ? remembered[random.below(REMEMBERED)] : undefined) ?? living(),
    above(ctx) {
      let found = ctx;
      while (found.parent !== undefined && random.chance(0.6)) found = found.parent;
      return found;
    },
    parent() {
      const kind = random.below(100);
      if (kind < 5) return 'background';
      if (kind < 6) return 'todo';
      if (kind < 8) return { without: draws.recent() };
      if (kind < 35) return tip;
      return draws.recent();
    },
    signal() {
      const index = random.below(SIGNALS);
      const present = signals[index];
      if (present !== undefined && (!present.aborted || random.chance(0.1))) return present;
      return (signals[index] = {
        timeout: random.chance(0.3),
        aborted: false,
        followers: [],
        handle: undefined,
      });
    },
    ending(ctx) {
      const kind = random.below(100);
      if (kind < 35) return { do: 'cancel', ctx };
      if (kind < 70 && !ctx.scoped) return { do: 'release', ctx };
      if (kind < 80) return { do: 'retire', ctx };
      return { do: 'end', ctx, origin: random.pick(ORIGINS), automatic: random.chance(0.7) };
    },
    heard() {
      const kind = random.below(100);
      const ctx = draws.recent();
      if (kind < 40) return { do: 'block', ms: draws.fine ? draws.blocked() : random.below(12) };
      if (kind < 65) return { do: 'cancel', ctx };
      if (kind < 90) return draws.ending(ctx);
      if (kind < 95) return { do: 'check', ctx };
      return { do: 'brief', name: draws.name(), from: draws.parent() };
    },
    inside(ctx) {
      const acts = Array.from({ length: 1 + random.below(3) }, () => actInside(ctx));
      if (random.chance(0.3) && !ctx.scoped) acts.push({ do: 'release', ctx });
      return acts;
    },
    lastActs(ctx) {
      const acts: Act[] = [];
      if (random.chance(0.2)) acts.push({ do: 'brief', name: draws.name(), from: 'background' });
      if (random.chance(0.2) && !ctx.scoped) acts.push({ do: 'release', ctx });
      return acts;
    },
    adapter() {
      const kind = random.below(5);
      if (kind === 4) return { do: 'guarded' };
      if (kind === 0) return { do: 'refused', source: source() };
      if (kind === 3) {
        return { do: 'cleaned', outcome: random.pick(CLEANED), ms: random.magnitude(1, 900_000) };
      }
      if (kind === 1) {
        const outcome = random.pick(INBOUNDS);
        const ms = outcome === 'ok' ? random.below(2) * random.magnitude(1, 60_000) : undefined;
        return { do: 'received', source: source(), outcome, ms };
      }
      const system = random.pick(['postgresql', 'mysql']);
      return { do: 'stopped', system, outcome: random.pick(STOPS), ms: random.magnitude(1, 2_000_000) / 128 };
    },
  };

  const source = () => `source-${random.below(SOURCES)}`;

  function living(): Ctx {
    return model.live[random.below(model.live.length)] ?? tip;
  }

  function actInside(ctx: Ctx): Act {
    const kind = random.below(8);
    if (kind === 0) return { do: 'brief', name: draws.name(), from: random.pick(['background', 'todo']) };
    if (kind === 1) return { do: 'brief', name: draws.name(), from: { without: ctx } };
    if (kind === 2) return { do: 'rootSpan', kind: random.pick(SPAN_KINDS) };
    if (kind === 3) return { do: 'listen', ctx: draws.recent(), act: draws.heard() };
    if (kind === 4) return { do: 'block', ms: draws.blocked() };
    if (kind === 5) return draws.ending(draws.recent());
    // A run within the run, and who releases the outer one's context within both.
    const acts: Act[] = ctx.scoped ? [] : [{ do: 'release', ctx }];
    if (kind === 6) return { do: 'run', op: newOperation(draws.recent(), 'run', draws.kind('run')), acts };
    return { do: 'begin', op: newOperation(ctx, 'operation', draws.kind('operation')) };
  }

  return draws;
}

/** The earliest deadline on the path. */
function earliest(from: Ctx): number {
  let due = NEVER;
  for (let up: Ctx | undefined = from; up !== undefined; up = up.parent) {
    if (up.fate === 'ends' && up.due !== undefined && up.due.at < due) due = up.due.at;
  }
  return due;
}
