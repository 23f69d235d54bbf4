import type { Context as OtelContext } from '@opentelemetry/api';
import type { Reason } from './errors';
import type { ContextNode, Ending, Operation, Origin } from './protocol';

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

/** A call that was refused before any work, because its budget was already spent. */
export interface RefusedCall {
  /** `http.client`, `http.server`, `postgresql`… */
  readonly source: string;
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
  /** The context that was cleaned up after, detached. */
  readonly ctx?: OtelContext;
}

/** A cancellable context was derived. Never one that was born done from its parent. */
export interface ContextStarted {
  readonly node: ContextNode;
  /**
   * The monotonic time where the core had to read the clock anyway, else NaN: a reading costs more than everything else
   * that is recorded.
   */
  readonly now: number;
}

/** A context ended. */
export interface ContextEnded {
  readonly node: ContextNode;
  readonly ending: Ending;
  /** As in `ContextStarted`. */
  readonly now: number;
}

/**
 * What the core tells. What adapters have to tell they bring as events of their own: see `adapterEvent`. A listener's
 * exception is counted and goes nowhere else. These types are an ABI between installed copies: members are added, never
 * changed.
 */
export interface HookEvents {
  contextStarted(event: ContextStarted): void;
  /**
   * The originating node first (`ending.node === node`), then its descendants in pre-order; after the whole subtree is
   * marked and before any listener runs.
   */
  contextEnded(event: ContextEnded): void;
  /** The last listener of a cancellation returned. Not told for a completed release that had no listener. */
  cancellationDelivered(ending: Ending): void;
  operationBegun(operation: Operation): void;
  operationSettled(operation: Operation): void;
  chainBroken(event: ChainBreak): void;
  cancellationObserved(event: ObservedCancellation): void;
  /** Every adapter that calls out tells it: one whose budget is spent refuses its calls wherever they go. */
  callRefused(event: RefusedCall): void;
  cleanupDone(event: CleanupDone): void;
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
  'callRefused',
  'cleanupDone',
  'errorGuarded',
];

/** An event of adapters: who tells it and who listens know it by its name alone. */
export interface AdapterEvent<Event extends object> {
  /** Tells all who listen; `undefined` while nobody does, so that asking costs one comparison. Never throws. */
  readonly tell: ((event: Event) => void) | undefined;
  /** Listens, as `subscribe` does; returns how to stop. */
  listen(listener: (event: Event) => void): () => void;
}

/** The hooks and who listens to them. */
export interface HookBoard {
  readonly hooks: Hooks;
  readonly listeners: Partial<HookEvents>[];
  /** By name. */
  readonly adapterEvents: Map<string, unknown>;
  /** Exceptions thrown by listeners so far. */
  errors: number;
}

export function createHookBoard(): HookBoard {
  const hooks = Object.fromEntries(NAMES.map((name) => [name, undefined])) as Hooks;
  return { hooks, listeners: [], adapterEvents: new Map(), errors: 0 };
}

type Told = (event: never) => void;

/** Makes a function that calls a listener and counts what it throws. */
type Guard = (told: Told, board: HookBoard) => Told;

const guard: Guard = (told, board) => (event) => {
  try {
    told(event);
  } catch {
    board.errors++;
  }
};

// The same once more for each of the two hooks that every context passes: V8 keeps what it learns of a call by its
// place in the source, and inlines one that has only ever called one function.
const guardStarted: Guard = (told, board) => (event) => {
  try {
    told(event);
  } catch {
    board.errors++;
  }
};
const guardEnded: Guard = (told, board) => (event) => {
  try {
    told(event);
  } catch {
    board.errors++;
  }
};

const GUARDS: Partial<Record<keyof HookEvents, Guard>> = {
  contextStarted: guardStarted,
  contextEnded: guardEnded,
};

/** One function that calls every listener; one that throws harms neither the others nor the caller. */
function compose(guarded: readonly Told[]): Told | undefined {
  if (guarded.length > 1) return (event) => guarded.forEach((told) => told(event));
  return guarded[0];
}

/** Adds a listener; returns the function that removes it. */
export function addListener(board: HookBoard, listener: Partial<HookEvents>): () => void {
  return join(board.listeners, listener, () => {
    for (const name of NAMES) {
      const guarded: Told[] = [];
      for (const each of board.listeners) {
        const told = each[name] as Told | undefined;
        if (told !== undefined) guarded.push((GUARDS[name] ?? guard)(told.bind(each), board));
      }
      (board.hooks as Record<string, unknown>)[name] = compose(guarded);
    }
  });
}

/** The event of this name, made on first sight, which may be a listener's as well as a teller's. */
export function eventOf<Event extends object>(board: HookBoard, name: string): AdapterEvent<Event> {
  let event = board.adapterEvents.get(name) as AdapterEvent<Event> | undefined;
  if (event === undefined) board.adapterEvents.set(name, (event = createEvent<Event>(board)));
  return event;
}

function createEvent<Event extends object>(board: HookBoard): AdapterEvent<Event> {
  const listeners: Told[] = [];
  const event: { -readonly [K in keyof AdapterEvent<Event>]: AdapterEvent<Event>[K] } = {
    tell: undefined,
    listen: (listener) =>
      join(listeners, guard(listener, board), () => {
        event.tell = compose([...listeners]) as AdapterEvent<Event>['tell'];
      }),
  };
  return event;
}

/** Puts one more into a list until told to take it out again, and says each time that the list has changed. */
function join<T>(list: T[], one: T, changed: () => void): () => void {
  list.push(one);
  changed();
  let present = true;
  return () => {
    if (!present) return;
    present = false;
    list.splice(list.indexOf(one), 1);
    changed();
  };
}
