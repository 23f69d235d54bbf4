import type { Context as OtelContext } from '@opentelemetry/api';
import type { Reason } from './errors';
import type { ContextNode, Ending, Operation, Origin } from '../tree/protocol';

/** A context or span that started from a root while a live cancellable context was active. */
export interface ChainBreak {
  readonly cause: 'background' | 'todo' | 'root_span';
  /** The live node that should have been the parent. */
  readonly active: ContextNode;
}

/** A cancellation that observe mode recorded and did not carry out. */
export interface ObservedCancellation {
  readonly node: ContextNode;
  readonly reason: Reason;
  readonly origin: Origin;
}

/** What an inbound request brought. `source` is the carrier: `x-request-timeout-ms`, `grpc-timeout`… */
export interface ReceivedDeadline {
  readonly source: string;
  readonly outcome: 'ok' | 'none' | 'malformed' | 'too_large' | 'clock_skew';
  /** Milliseconds left on arrival, after the cap; `undefined` where none was understood. */
  readonly remaining: number | undefined;
}

/** A call that was refused before any work, because its budget was already spent. */
export interface RefusedCall {
  /** `http.client`, `http.server`, `postgresql`… */
  readonly source: string;
}

/** An attempt to stop work in a server: PostgreSQL's CancelRequest. */
export interface BackendCancel {
  /** As `db.system.name`: `postgresql`. */
  readonly system: string;
  /**
   * `canceled`: the server stopped the query; `completed`: the query finished first;
   * `failed`: the cancel could not be sent; `timed_out`: nothing settled within the grace.
   */
  readonly outcome: 'canceled' | 'completed' | 'failed' | 'timed_out';
  /** Milliseconds from the end of the context until the query settled. */
  readonly duration: number;
}

/** An error of an automatic cancellation that would have ended the process, and that the guard took. */
export interface GuardedError {
  readonly error: unknown;
}

/** A cleanup that ran after the end of a context. */
export interface CleanupDone {
  readonly outcome: 'completed' | 'failed' | 'timed_out';
  /** Milliseconds. */
  readonly duration: number;
}

/**
 * Everything that the core and the adapters tell. A listener's exception is counted and goes nowhere else.
 * These types are an ABI between installed copies: members are added, never changed.
 */
export interface HookEvents {
  /**
   * A cancellable context was derived. Never one that was born done from its parent. `now` is the monotonic time
   * where the core had to read the clock anyway: a reading costs more than everything else that is recorded.
   */
  contextStarted(node: ContextNode, now?: number): void;
  /**
   * A context ended: the originating node first (`ending.node === node`), then its descendants in pre-order;
   * after the whole subtree is marked and before any listener runs. `now` as above; NaN where it was not read.
   */
  contextEnded(node: ContextNode, ending: Ending, now?: number): void;
  /** The last listener of a cancellation returned. Not told for a completed release that had no listener. */
  cancellationDelivered(ending: Ending): void;
  operationBegun(operation: Operation): void;
  operationSettled(operation: Operation): void;
  chainBroken(event: ChainBreak): void;
  cancellationObserved(event: ObservedCancellation): void;
  /** `ctx` is what the request brought so far: its trace. */
  deadlineReceived(event: ReceivedDeadline, ctx?: OtelContext): void;
  callRefused(event: RefusedCall): void;
  /** `ctx` is the context that ended. */
  backendCancel(event: BackendCancel, ctx?: OtelContext): void;
  /** `ctx` is the context that was cleaned up after, detached. */
  cleanupDone(event: CleanupDone, ctx?: OtelContext): void;
  errorGuarded(event: GuardedError): void;
}

/** The hooks as a caller sees them: `undefined` while nobody listens, so that asking costs one comparison. */
export type Hooks = { -readonly [K in keyof HookEvents]: HookEvents[K] | undefined };

const NAMES: readonly (keyof HookEvents)[] = [
  'contextStarted',
  'contextEnded',
  'cancellationDelivered',
  'operationBegun',
  'operationSettled',
  'chainBroken',
  'cancellationObserved',
  'deadlineReceived',
  'callRefused',
  'backendCancel',
  'cleanupDone',
  'errorGuarded',
];

/** The hooks and who listens to them. */
export interface HookBoard {
  readonly hooks: Hooks;
  readonly listeners: Partial<HookEvents>[];
  /** Exceptions thrown by listeners so far. */
  errors: number;
}

export function createHookBoard(): HookBoard {
  const hooks = Object.fromEntries(NAMES.map((name) => [name, undefined])) as Hooks;
  return { hooks, listeners: [], errors: 0 };
}

type Told = (first: never, second: never, third?: never) => void;

/** Makes a function that calls a listener and counts what it throws. */
type Guard = (told: Told, board: HookBoard) => Told;

const guard: Guard = (told, board) => (first, second) => {
  try {
    told(first, second);
  } catch {
    board.errors++;
  }
};

// The same once more for each of the two hooks that every context passes: V8 keeps what it learns of a call by its
// place in the source, and inlines one that has only ever called one function.
const guardStarted: Guard = (told, board) => (node, now) => {
  try {
    told(node, now);
  } catch {
    board.errors++;
  }
};
const guardEnded: Guard = (told, board) => (node, ending, now) => {
  try {
    told(node, ending, now);
  } catch {
    board.errors++;
  }
};

const GUARDS: Partial<Record<keyof HookEvents, Guard>> = {
  contextStarted: guardStarted,
  contextEnded: guardEnded,
};

/** One function that calls every listener of a hook; a listener that throws harms neither the others nor the caller. */
function compose(board: HookBoard, name: keyof HookEvents): Told | undefined {
  const guarded: Told[] = [];
  for (const listener of board.listeners) {
    const told = listener[name] as Told | undefined;
    if (told !== undefined) guarded.push((GUARDS[name] ?? guard)(told.bind(listener), board));
  }
  if (guarded.length > 1) {
    return (first, second, third) => guarded.forEach((told) => told(first, second, third));
  }
  return guarded[0];
}

/** Adds a listener; returns the function that removes it. */
export function addListener(board: HookBoard, listener: Partial<HookEvents>): () => void {
  const rebuild = () => {
    for (const name of NAMES) (board.hooks as Record<string, unknown>)[name] = compose(board, name);
  };
  board.listeners.push(listener);
  rebuild();
  let present = true;
  return () => {
    if (!present) return;
    present = false;
    board.listeners.splice(board.listeners.indexOf(listener), 1);
    rebuild();
  };
}
