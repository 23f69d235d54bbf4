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
import { createDraws } from './draws';
import type { Model } from './model';
import type { Random } from './random';

export interface ForestOptions {
  readonly random: Random;
  /** Contexts to start in all. */
  readonly contexts: number;
  /** Contexts that live at a time, roughly. */
  readonly population: number;
  /** Distinct names. */
  readonly names: number;
  /** How deep the one deep chain is. */
  readonly chain: number;
}

/** The stages of a run, by how much of it is over. */
const FINE_UNTIL = 0.02;
const OBSERVED = [0.4, 0.43] as const;
const SPANS_AT = 0.5;
const CHAIN_AT = 0.6;

/** A cancellation starts at every depth up to this one. */
export const CUT_DEPTH = 300;

/** More spans under one context than a cancellation marks. */
const MANY_SPANS = 1200;

/**
 * A random forest of contexts that grows and dies in every way there is. Each act is drawn by what the model says of
 * the moment, so it has to be carried out before the next one is asked for.
 */
export function* growForest(model: Model, options: ForestOptions): Generator<Act, void> {
  const { random, contexts, population, chain } = options;
  const draws = createDraws(model, random, options.names);
  const pending: Op[] = [];
  /** Work that never settles. It is held, since a span that nobody holds any more counts as settled. */
  const never: Op[] = [];
  const share = () => model.started / contexts;

  yield* growFinely();
  const stages: [at: number, acts: () => Iterable<Act>][] = [
    [OBSERVED[0], () => [{ do: 'enforce', on: false }]],
    [OBSERVED[1], () => [{ do: 'enforce', on: true }]],
    [SPANS_AT, openManySpans],
    [CHAIN_AT, growChain],
  ];
  for (const [at, acts] of stages) {
    while (share() < at) yield* step();
    yield* acts();
  }
  while (share() < 1) yield* step();

  /**
   * Fractions of a millisecond, for the narrow buckets. Without deadlines: a timer's delay is a whole number, so that
   * with fractions its lateness would depend on when it was armed.
   */
  function* growFinely(): Iterable<Act> {
    draws.fine = true;
    while (share() < FINE_UNTIL) yield* step();
    for (let ctx = model.live[0]; ctx !== undefined; ctx = model.live[0]) yield { do: 'cancel', ctx };
    yield { do: 'block', ms: Math.ceil(model.now) - model.now };
    draws.fine = false;
  }

  function* step(): Iterable<Act> {
    const kind = random.below(1000);
    if (model.live.length < 10) yield* deriveOne('background');
    else if (random.chance((model.live.length / population) ** 3 / 2)) yield* prune();
    else if (kind < 500) yield* deriveOne(draws.parent());
    else if (kind < 512) yield* deriveInLine(random.magnitude(2, 150));
    else if (kind < 518) yield* deriveAbreast(random.magnitude(2, 400));
    else if (kind < 540) yield* prune();
    else if (kind < 610) yield* beginWork();
    else if (kind < 720) yield* settleWork();
    else if (kind < 745) yield* runSomething();
    else if (kind < 760) yield* enterScope();
    else if (kind < 766) yield* followSignal();
    else if (kind < 772) yield* mergeTwo();
    else if (kind < 810) yield draws.adapter();
    else if (kind < 860) yield { do: 'check', ctx: draws.recent() };
    else if (kind < 870) yield { do: 'block', ms: draws.blocked() };
    else yield { do: 'advance', ms: draws.passing() };
  }

  function* deriveOne(from: From): Generator<Act, Ctx> {
    const made = newContext(draws.name(), random.chance(0.05), false);
    // What an adapter limits is a request, and that starts from a root.
    const limit = typeof from === 'string' && random.chance(0.5);
    yield { do: 'derive', made, from, ms: draws.timeout(from), limit };
    draws.remember(made);
    if (random.chance(0.08)) yield { do: 'listen', ctx: made, act: draws.heard() };
    if (random.chance(0.01)) yield { do: 'hear', ctx: made, act: draws.heard() };
    return made;
  }

  function* deriveInLine(length: number): Iterable<Act> {
    let from: From = draws.parent();
    for (let made = 0; made < length; made++) from = yield* deriveOne(from);
  }

  function* deriveAbreast(width: number): Iterable<Act> {
    const from = draws.parent();
    for (let made = 0; made < width; made++) yield* deriveOne(from);
  }

  /** Ends something, at any height above a context that lives. */
  function* prune(): Iterable<Act> {
    yield draws.ending(draws.above(draws.living()));
  }

  function* beginWork(): Iterable<Act> {
    const ctx = draws.recent();
    const how = random.pick(['operation', 'operation', 'operation', 'track', 'run', 'span']);
    const op = newOperation(ctx, how, draws.kind(how), how === 'run' ? draws.lastActs(ctx) : []);
    yield { do: 'begin', op };
    (random.chance(0.05) ? never : pending).push(op);
  }

  function* settleWork(): Iterable<Act> {
    const index = random.below(pending.length);
    const op = pending[index];
    if (op === undefined) return;
    pending[index] = pending[pending.length - 1] as Op;
    pending.pop();
    yield { do: 'settle', op };
  }

  function* runSomething(): Iterable<Act> {
    const ctx = draws.recent();
    yield { do: 'run', op: newOperation(ctx, 'run', draws.kind('run')), acts: draws.inside(ctx) };
  }

  function* enterScope(): Iterable<Act> {
    const from = draws.parent();
    const op = newOperation(newContext(draws.name(), false, true), 'scope', 'internal');
    yield { do: 'scope', op, from, ms: draws.timeout(from) };
    // A scope that is done at birth calls nothing.
    if (op.handle === undefined) return;
    draws.remember(op.ctx);
    pending.push(op);
  }

  function* followSignal(): Iterable<Act> {
    const signal: Foreign = draws.signal();
    const made = newContext(draws.name(), false, false);
    yield { do: 'derive', made, from: draws.parent(), ms: NEVER, signal };
    draws.remember(made);
    if (random.chance(0.3)) yield { do: 'abort', signal };
  }

  function* mergeTwo(): Iterable<Act> {
    const [from, other] = [draws.recent(), draws.recent()];
    yield { do: 'check', ctx: from };
    yield { do: 'check', ctx: other };
    const made = newContext(draws.name(), false, false);
    yield { do: 'derive', made, from, ms: NEVER, other };
    draws.remember(made);
  }

  function* openManySpans(): Iterable<Act> {
    const ctx = yield* deriveOne('background');
    const spans = Array.from({ length: MANY_SPANS }, () => newOperation(ctx, 'span', 'client'));
    for (const op of spans) yield { do: 'begin', op };
    yield { do: 'end', ctx, origin: 'client_disconnect', automatic: true };
    for (const op of spans) yield { do: 'settle', op };
  }

  /**
   * One chain that ends whole, a shorter one that is cut in the middle, where a request on it had finished, and one
   * that is cut at every depth, from its end up.
   */
  function* growChain(): Iterable<Act> {
    const whole = yield* growLine(chain, 0.02);
    yield { do: 'cancel', ctx: whole[0] as Ctx };
    const line = yield* growLine(chain >> 2, 0.02);
    const link = (share: number) => line[Math.floor(line.length * share)] as Ctx;
    yield { do: 'cancel', ctx: link(0.75) };
    yield { do: 'retire', ctx: link(0.25) };
    yield { do: 'end', ctx: link(0.5), origin: 'shutdown', automatic: true };
    yield { do: 'cancel', ctx: line[0] as Ctx };
    // Without listeners, which could cancel what is further up.
    const cutUp = yield* growLine(CUT_DEPTH, 0);
    for (const ctx of cutUp.reverse()) yield { do: 'cancel', ctx };
  }

  function* growLine(length: number, listeners: number): Generator<Act, Ctx[]> {
    const line: Ctx[] = [];
    let from: From = 'background';
    while (line.length <= length) {
      const made = newContext(draws.name(), false, false);
      const ms = random.chance(0.1) ? random.magnitude(1000, 600_000) : NEVER;
      yield { do: 'derive', made, from, ms };
      if (random.chance(listeners)) yield { do: 'listen', ctx: made, act: draws.heard() };
      line.push(made);
      from = made;
    }
    return line;
  }
}
