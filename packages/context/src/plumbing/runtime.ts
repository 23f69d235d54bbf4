import { systemClock, type Clock } from './clock';
import { globalSlot } from './global-slot';
import { createHookBoard, type HookBoard } from './hooks';
import { PROTOCOL, type Callback, type ContextNode, type Due, type Ending, type Operation } from './protocol';

/** One timer structure serves every deadline of the process. */
export interface Deadlines {
  add(due: Due): void;
  remove(due: Due): void;
  /** Takes the timers over to the clock now in force. */
  rearm(): void;
  disarm(): void;
  /** Live deadlines, for tests and telemetry. */
  readonly size: number;
  /** Whether a timer is armed, for tests. */
  readonly armed: boolean;
}

/** `process.emit`. */
export type Emit = (this: unknown, event: unknown, ...args: unknown[]) => boolean;

/** What the guard of a process keeps, for every installed copy. */
export interface Guard {
  /** Automatic forms in force. */
  installed: number;
  /** What `setGuard` says; `undefined` leaves it to the environment. */
  wanted: boolean | undefined;
  /** What of ours stands at `process.emit`, and asks; one that somebody has patched over passes everything on. */
  emit: Emit | undefined;
  /** Ours that were put there so far, and how each is taken away: none is put twice. */
  readonly made: WeakMap<Emit, () => void>;
  /** How many of them are there. */
  wraps: number;
  /** Errors and promises that were taken. */
  readonly taken: WeakSet<object>;
  said: boolean;
}

/** Contexts that have ended, whose callbacks are to be called, and how far that has come. */
export interface Delivery {
  readonly nodes: readonly ContextNode[];
  readonly ending: Ending;
  /** Of the nodes, how many have had their turn. */
  place: number;
  /** The next callback of the one whose turn it is. */
  next: Callback | undefined;
}

/** What all installed copies of one protocol share. */
export interface Runtime {
  readonly board: HookBoard;
  clock: Clock;
  /** `false`: cancellations are recorded and not carried out. */
  enforce: boolean;
  /** Made by the first copy that sets a deadline. */
  deadlines: Deadlines | undefined;
  readonly guard: Guard;
  /** Ends that cut off automatic calls, and when they last did. */
  readonly cuts: WeakMap<Ending, number>;
  /** How many automatic calls have been refused for an end. */
  readonly refusals: WeakMap<Ending, number>;
  /** How nodes are called that have a name of their own in place of `WithCancel`, from their parent's. */
  readonly names: WeakMap<ContextNode, (parent: string) => string>;
  /** The operation whose synchronous part is running. */
  synchronous: Operation | undefined;
  /** Whether it has been looked into whether there is a ContextManager. */
  managerKnown: boolean;
  /** Ends that callbacks of others brought about, and that these deliver. */
  readonly followers: Delivery[];
  /** Whether the next end to begin is one of them. */
  following: boolean;
  /** Monotonic ms of the last time that a loop which computes gave way. */
  yieldedAt: number;
}

/** The state shared by every copy of this package in the process. */
export const runtime: Runtime = globalSlot('@curfew/context.runtime', PROTOCOL, () => ({
  board: createHookBoard(),
  clock: systemClock,
  enforce: true,
  deadlines: undefined,
  guard: {
    installed: 0,
    wanted: undefined,
    emit: undefined,
    made: new WeakMap(),
    wraps: 0,
    taken: new WeakSet(),
    said: false,
  },
  cuts: new WeakMap(),
  refusals: new WeakMap(),
  names: new WeakMap(),
  synchronous: undefined,
  managerKnown: false,
  followers: [],
  following: false,
  yieldedAt: -Infinity,
}));
