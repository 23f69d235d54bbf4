import type { Context as OtelContext } from '@opentelemetry/api';
import type { CanceledError, DeadlineExceededError, Reason } from './errors';
import type { CancelContext } from './types';

/**
 * The ABI between installed copies of this package, and between it and telemetry: the fields of a node, its
 * ending, its operations. Two copies with the same PROTOCOL number read and write one another's nodes; other
 * numbers call a node's public methods and link through its `onEnd`, and touch no field but `protocol`.
 * Everything here is structural: no class, no `instanceof`.
 */
export const PROTOCOL = 1;

/** How a context ended. */
export type Outcome = 'completed' | Reason;

/** Who or what ended it: what the core itself tells of, and whatever adapters call theirs, as `client_disconnect`. */
export type Origin =
  'caller' | 'parent' | 'deadline' | 'sibling_failed' | 'signal' | (string & Record<never, never>);

/** One end, shared by every node that it reached. */
export interface Ending {
  readonly outcome: Outcome;
  /** `undefined` exactly when the outcome is `completed`. */
  readonly reason: Reason | undefined;
  /** The origin at the originating node; for every other node that it reached, read `parent`. */
  readonly origin: Origin;
  /** The originating node; `undefined` for the ends that releases without listeners and finished requests share. */
  readonly node: ContextNode | undefined;
  /** Monotonic ms of the cancel, or of the deadline itself. NaN where nobody listened to the hooks. */
  readonly at: number;
  /** Monotonic ms when the subtree was marked. NaN where nobody listened to the hooks. */
  readonly markedAt: number;
  /** How a deadline was noticed; `undefined` for every other end. */
  readonly detectedBy: 'timer' | 'check' | undefined;
  /** Descendants that this end also ended. Final once the subtree is marked. */
  readonly fanout: number;
  /** Whether Curfew added this end, and not the program: see `EndOptions.automatic`. */
  readonly automatic: boolean;
  /** A request that finished: the signal never aborts, `err()` stays undefined, work after it goes on. */
  readonly retired: boolean;
  /** What the canceller gave, by identity; `undefined` where nothing was given. */
  readonly cause: unknown;
  /** The one error of this cancellation, made on first read. */
  error: CanceledError | DeadlineExceededError | undefined;
}

/** A deadline, shared by the node that set it and every descendant without an earlier one. */
export interface Due {
  /** Monotonic ms. */
  readonly at: number;
  /** The node that set it; `undefined` once it is disarmed. */
  node: ContextNode | undefined;
  /** What `cause()` returns once it has passed; `undefined` where nothing was given. */
  readonly cause: unknown;
  /** The Date shown to users, fixed on first read or given. */
  wall: number | undefined;
  /** Whether its timer keeps the process alive. */
  readonly ref: boolean;
  /** Insertion order, which breaks ties. */
  order: number;
  /**
   * Who limits: the program, or Curfew by itself (`automatic`); `observed` is as `automatic`, but in observe mode: it ends
   * nothing, and that it has passed is told.
   */
  readonly limit: 'program' | 'automatic' | 'observed';
}

/** One value of a context over the rest of them; the bottom one may hold a foreign context under FOREIGN. */
export interface Layer {
  readonly key: symbol | undefined;
  readonly value: unknown;
  readonly rest: Layer | undefined;
  readonly depth: number;
  /** What the context that made this layer carries under NODE_KEY. */
  readonly node: ContextNode | RootMark | undefined;
}

/** Stands where a node would, in roots that must be told from the background. */
export interface RootMark {
  readonly protocol: 0;
  readonly root: 'todo' | 'detached';
  /** The name of the derivation up to here. */
  readonly description: string;
}

/** One registered callback, linked into its node's list. */
export interface Callback {
  node: ContextNode | undefined;
  fn: () => unknown;
  /** The OpenTelemetry context active at registration. */
  readonly active: OtelContext;
  /**
   * `now`: called in the end itself (onEnd); `later`: in a microtask of its own (afterFunc); `always`: as `later`,
   * and when a request is retired too (cleanup); `due`: as `now`, and once the node is retired or its deadline has
   * changed, before whoever brought that about returns (merge).
   */
  readonly when: 'now' | 'later' | 'always' | 'due';
  prev: Callback | undefined;
  next: Callback | undefined;
}

/**
 * What a node and its unsettled operations know each other by. Neither holds the other by it once the node has ended:
 * what never settles must not keep an ended context and its values for ever.
 */
export interface Operations {
  /** `undefined` once it has ended. */
  node: ContextNode | undefined;
  unsettled: number;
}

/** A unit of work under a context: what scope, run, track and group start. */
export interface Operation {
  /** The context that it runs under; `undefined` once that has ended, or the operation has settled. */
  readonly node: ContextNode | undefined;
  /**
   * The operation in which this one began; carried in the OpenTelemetry context. Once this one has settled, the nearest of
   * those around it that has not.
   */
  readonly parent: Operation | undefined;
  readonly name: string | undefined;
  readonly kind: string;
  settled: boolean;
  /** Settles it. Calls after the first do nothing. */
  settle(): void;
  /** Telemetry's own. */
  record: unknown;
}

/** Bits of `ContextNode.flags`. */
export const Flag = {
  /** Never counts as lingering. */
  LONG_LIVED: 1,
  /** Born done from its parent: never counted, in no tree. */
  BORN_DONE: 2,
  /** Set by withTimeout or withDeadline, for the name. */
  WITH_DEADLINE: 4,
  /** Follows a context of another protocol for as long as something is to be called at its end, or runs under it. */
  STAND_IN: 8,
} as const;

/**
 * A context that can end: the node of the cancellation tree and its first view in one object.
 * `parent`, `prev`, `next`, `firstChild` and `lastChild` are an intrusive list of live children.
 */
export interface ContextNode extends CancelContext {
  readonly protocol: number;
  readonly name: string | undefined;
  flags: number;
  parent: ContextNode | undefined;
  prev: ContextNode | undefined;
  next: ContextNode | undefined;
  firstChild: ContextNode | undefined;
  lastChild: ContextNode | undefined;
  /** Its values and, through the bottom one, those of a foreign context. */
  readonly layers: Layer;
  /** The deadline it set itself, even where an earlier one of an ancestor covers it. */
  own: Due | undefined;
  /** The earliest deadline on the path. */
  due: Due | undefined;
  /** `undefined` while it lives. */
  ending: Ending | undefined;
  firstCallback: Callback | undefined;
  lastCallback: Callback | undefined;
  /** Made when the signal is first read. */
  controller: AbortController | undefined;
  /** How to stop listening to what ends it beside its parent: signals, contexts of another tree. Only `links` writes it. */
  unlink: (() => void)[] | undefined;
  /** `undefined` where no operation is unsettled, and once it has ended. */
  operations: Operations | undefined;
  /** Telemetry's own: the index of its record, or -1. */
  slot: number;
  /** The one method that every protocol has beside the public ones: calls `fn` once, at the end; returns stop. */
  onEnd(fn: () => void): () => boolean;
}
