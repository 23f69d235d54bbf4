/** How something ended, by the words of the design. */
export type Outcome = 'completed' | 'canceled' | 'deadline_exceeded';
export type Reason = Exclude<Outcome, 'completed'>;
export type Origin =
  | 'caller'
  | 'deadline'
  | 'client_disconnect'
  | 'remote_deadline'
  | 'remote_cancel'
  | 'shutdown'
  | 'sibling_failed'
  | 'signal';

/** One end, shared by all that it reached. */
export interface End {
  readonly outcome: Outcome;
  readonly origin: Origin;
  readonly retired: boolean;
  /** Milliseconds: the instant of the cancel, or of the deadline itself. */
  readonly at: number;
}

/** No deadline. A constant, since Jest looks a global such as Infinity up anew each time, which is slow in hot loops. */
export const NEVER = Infinity;

/** A deadline that a context set itself, or has from the one that it is merged with. */
export interface Due {
  readonly ctx: Ctx;
  /** Milliseconds. */
  readonly at: number;
  /** Of the arming: ties are broken by it. `undefined` while no timer waits, since an ancestor's deadline covers it. */
  order: number | undefined;
}

/** A context as the model knows it: a name, a parent, a deadline, work. `handle` is what the other side made for it. */
export interface Ctx {
  readonly name: string | undefined;
  readonly longLived: boolean;
  /** Only its own function releases a scope. */
  readonly scoped: boolean;
  /** The label it is counted by. */
  label: string;
  parent: Ctx | undefined;
  children: Set<Ctx> | undefined;
  /** At its birth. */
  depth: number;
  startedAt: number;
  /** Its own deadline, whether or not an ancestor's comes first. */
  due: Due | undefined;
  /** What becomes of it: a limit that an adapter set in observe mode ends nothing and covers nothing, and is told once. */
  fate: 'ends' | 'observed' | 'told';
  end: End | undefined;
  /** Where it stands in the list of the living. */
  place: number;
  /** What happens in its `onEnd`s, in order. */
  listeners: Listener[] | undefined;
  /** What happens in the listeners of its native signal, in order. */
  hearers: Act[] | undefined;
  operations: Set<Op> | undefined;
  handle: unknown;
}

/** An `onEnd` with what was active where it was registered. */
export interface Listener {
  readonly act: Act;
  readonly active: Ctx | undefined;
  readonly carried: Op | undefined;
}

/** Work under a context. */
export interface Op {
  readonly ctx: Ctx;
  readonly kind: string;
  /** `operation` is begun and settled by hand; all but a span can keep a release from being a completion. */
  readonly how: 'operation' | 'track' | 'run' | 'scope' | 'span';
  /** What an asynchronous `run` does when its wait is over, before it returns. */
  readonly last: readonly Act[];
  label: string;
  /** The operation that it began in. */
  parent: Op | undefined;
  startedAt: number;
  /** Milliseconds: when its context ended for a reason; NaN while it has not. */
  endedAt: number;
  reason: Reason;
  settled: boolean;
  handle: unknown;
}

/** Somebody else's AbortSignal. */
export interface Foreign {
  readonly timeout: boolean;
  aborted: boolean;
  readonly followers: Ctx[];
  handle: unknown;
}

/** What a context is derived from. */
export type From = Ctx | 'background' | 'todo' | Detached;

/** The parent's values without its cancellation. */
export interface Detached {
  readonly without: Ctx;
}

export type SpanKindName = 'internal' | 'server' | 'client' | 'producer' | 'consumer';
export type Inbound = 'ok' | 'none' | 'malformed' | 'too_large' | 'clock_skew';
export type Stopped = 'canceled' | 'completed' | 'failed' | 'timed_out';
export type Cleaned = Exclude<Stopped, 'canceled'>;

/**
 * Everything that a run can do. The model carries an act out by the words of the design, Curfew by its code; what they
 * share is this list.
 */
export type Act =
  /**
   * With a timeout of `ms`; `signal` and `other` make it a `withSignal` or a `merge`, and `limit` says that the timeout is
   * one that an adapter adds to a request.
   */
  | { do: 'derive'; made: Ctx; from: From; ms: number; limit?: boolean; signal?: Foreign; other?: Ctx }
  /** Derived and released at once. */
  | { do: 'brief'; name: string | undefined; from: From }
  | { do: 'scope'; op: Op; from: From; ms: number }
  | { do: 'cancel' | 'release' | 'retire' | 'check'; ctx: Ctx }
  /** By an adapter: of its own accord (`automatic`), or since the program asked for it. */
  | { do: 'end'; ctx: Ctx; origin: Origin; automatic: boolean }
  /** An `onEnd`, or a listener of the native signal, and what happens in it. */
  | { do: 'listen' | 'hear'; ctx: Ctx; act: Act }
  /** A merged context ends with the other one, and has its deadline: what `merge` leaves there as a listener. */
  | { do: 'follow'; made: Ctx; other: Ctx }
  | { do: 'begin' | 'settle'; op: Op }
  /** A synchronous `run`, with what happens in it. */
  | { do: 'run'; op: Op; acts: readonly Act[] }
  | { do: 'rootSpan'; kind: SpanKindName }
  | { do: 'abort'; signal: Foreign }
  /** Time passes and timers fire; or time passes and nothing can. */
  | { do: 'advance' | 'block'; ms: number }
  | { do: 'enforce'; on: boolean }
  | { do: 'received'; source: string; outcome: Inbound; ms: number | undefined }
  | { do: 'refused'; source: string }
  | { do: 'stopped'; system: string; outcome: Stopped; ms: number }
  | { do: 'cleaned'; outcome: Cleaned; ms: number }
  | { do: 'guarded' };

export function newContext(name: string | undefined, longLived: boolean, scoped: boolean): Ctx {
  return {
    name,
    longLived,
    scoped,
    label: '',
    parent: undefined,
    children: undefined,
    depth: 0,
    startedAt: 0,
    due: undefined,
    fate: 'ends',
    end: undefined,
    place: -1,
    listeners: undefined,
    hearers: undefined,
    operations: undefined,
    handle: undefined,
  };
}

export function newOperation(ctx: Ctx, how: Op['how'], kind: string, last: readonly Act[] = []): Op {
  return {
    ctx,
    kind,
    how,
    last,
    label: '',
    parent: undefined,
    startedAt: 0,
    endedAt: NaN,
    reason: 'canceled',
    settled: false,
    handle: undefined,
  };
}
