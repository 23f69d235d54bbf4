import type { AttributeKey } from './attributes';

/**
 * Every instrument that is fed, declared once. OTLP and Prometheus names, dashboards, alerts and the table in the
 * README are derived from this file, so that a name cannot differ between them.
 */

export interface Instrument {
  readonly name: `curfew.${string}`;
  readonly kind: 'counter' | 'gauge' | 'histogram';
  /** `s`, or a thing in braces. */
  readonly unit: string;
  readonly help: string;
  /** Three at most. */
  readonly attributes: readonly AttributeKey[];
  /** Upper bounds of a histogram's buckets, in its unit. */
  readonly boundaries?: readonly number[];
  /** Fed only where an option of `install` asks for it. */
  readonly optIn?: true;
}

/** How long news takes: from microseconds within a process to the seconds of a blocked loop. */
const LATENCY = [
  1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 0.5, 1, 2.5, 5,
  10,
];

/** How long what passes a timer or a network takes: nothing below a millisecond is told apart. */
const DELAY = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** How long work goes on for nobody: coarser than LIFETIME, since it is told by kind and reason. */
const SETTLING = [0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 300];

/** How long work takes: from a millisecond to the ten minutes of a forgotten job. */
const LIFETIME = [0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];

/** How much of a budget is left. */
const SLACK = [0, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

const FANOUT = [0, 1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 10_000];

/** All instruments, by the names that the rest of the code uses for them. */
export const INSTRUMENTS = {
  active: {
    name: 'curfew.context.active',
    kind: 'gauge',
    unit: '{context}',
    help: 'Contexts that have not ended.',
    attributes: ['curfew.context.name'],
  },
  ended: {
    name: 'curfew.context.ended',
    kind: 'counter',
    unit: '{context}',
    help: 'Contexts that ended, by outcome.',
    attributes: ['curfew.context.name', 'curfew.context.outcome'],
  },
  duration: {
    name: 'curfew.context.duration',
    kind: 'histogram',
    unit: 's',
    help: 'How long contexts lived.',
    attributes: ['curfew.context.outcome'],
    boundaries: LIFETIME,
  },
  cancellations: {
    name: 'curfew.context.cancellations',
    kind: 'counter',
    unit: '{cancellation}',
    help: 'Cancellations, counted once where they started.',
    attributes: ['curfew.context.name', 'curfew.cancel.reason', 'curfew.cancel.origin'],
  },
  fanout: {
    name: 'curfew.cancel.fanout',
    kind: 'histogram',
    unit: '{context}',
    help: 'Descendants that a cancellation ended too.',
    attributes: ['curfew.cancel.reason'],
    boundaries: FANOUT,
  },
  propagation: {
    name: 'curfew.cancel.propagation.duration',
    kind: 'histogram',
    unit: 's',
    help: 'From a cancel, or from the deadline itself, until the last listener returned.',
    attributes: ['curfew.cancel.reason', 'curfew.propagation.boundary'],
    boundaries: LATENCY,
  },
  settle: {
    name: 'curfew.cancel.settle.duration',
    kind: 'histogram',
    unit: 's',
    help: 'From the end of a context until an operation in flight under it really stopped.',
    attributes: ['curfew.cancel.reason', 'curfew.operation.kind'],
    boundaries: SETTLING,
  },
  observed: {
    name: 'curfew.cancel.observed',
    kind: 'counter',
    unit: '{cancellation}',
    help: 'Cancellations that observe mode recorded and did not carry out.',
    attributes: ['curfew.cancel.reason', 'curfew.cancel.origin'],
  },
  operations: {
    name: 'curfew.operation.active',
    kind: 'gauge',
    unit: '{operation}',
    help: 'Operations that have not settled.',
    attributes: ['curfew.operation.kind'],
  },
  orphansActive: {
    name: 'curfew.orphan.active',
    kind: 'gauge',
    unit: '{operation}',
    help: 'Operations that still run although their context ended longer ago than the grace.',
    attributes: ['curfew.operation.kind', 'curfew.cancel.reason'],
  },
  orphans: {
    name: 'curfew.orphan.operations',
    kind: 'counter',
    unit: '{operation}',
    help: 'Operations that outlived the end of their context by the grace.',
    attributes: ['curfew.operation.kind', 'curfew.cancel.reason'],
  },
  orphanTime: {
    name: 'curfew.orphan.time',
    kind: 'counter',
    unit: 's',
    help: 'Wasted time: how long orphans ran on after the end of their context, running ones included.',
    attributes: ['curfew.operation.kind', 'curfew.cancel.reason'],
  },
  lingering: {
    name: 'curfew.context.lingering',
    kind: 'gauge',
    unit: '{context}',
    help: 'Contexts that have not ended and are older than the limit.',
    attributes: ['curfew.context.name'],
  },
  oldestAge: {
    name: 'curfew.context.oldest.age',
    kind: 'gauge',
    unit: 's',
    help: 'The age of the oldest context that has not ended and is not meant to live long.',
    attributes: [],
  },
  lateness: {
    name: 'curfew.deadline.lateness',
    kind: 'histogram',
    unit: 's',
    help: 'From the instant of a deadline until it was noticed: a blocked event loop shows here.',
    attributes: ['curfew.detected_by'],
    boundaries: DELAY,
  },
  remaining: {
    name: 'curfew.deadline.remaining',
    kind: 'histogram',
    unit: 's',
    help: 'The budget that inbound requests arrived with.',
    attributes: ['curfew.source'],
    boundaries: SLACK,
  },
  rejections: {
    name: 'curfew.deadline.rejections',
    kind: 'counter',
    unit: '{request}',
    help: 'Calls refused before any work, because their budget was spent or their context had ended.',
    attributes: ['curfew.source'],
  },
  inbound: {
    name: 'curfew.propagation.inbound',
    kind: 'counter',
    unit: '{request}',
    help: 'Inbound requests by what their deadline header said.',
    attributes: ['curfew.source', 'curfew.propagation.outcome'],
  },
  breaks: {
    name: 'curfew.chain.breaks',
    kind: 'counter',
    unit: '{context}',
    help: 'Contexts and spans that started from a root while a live cancellable context was active.',
    attributes: ['curfew.break.cause'],
  },
  backendCancel: {
    name: 'curfew.backend.cancel.duration',
    kind: 'histogram',
    unit: 's',
    help: 'From the end of a context until the server had stopped the work.',
    attributes: ['db.system.name', 'curfew.backend.cancel.outcome'],
    boundaries: DELAY,
  },
  lost: {
    name: 'curfew.context.lost',
    kind: 'counter',
    unit: '{context}',
    help: 'Contexts that were garbage-collected without having ended: somebody forgot to cancel.',
    attributes: ['curfew.context.name'],
    optIn: true,
  },
  cleanup: {
    name: 'curfew.cleanup.duration',
    kind: 'histogram',
    unit: 's',
    help: 'How long clean-ups took that were registered for the end of a context.',
    attributes: ['curfew.cleanup.outcome'],
    boundaries: LIFETIME,
    optIn: true,
  },
  overflows: {
    name: 'curfew.sdk.overflows',
    kind: 'counter',
    unit: '{event}',
    help: 'Values recorded as _OTHER, and spans left unmarked, because of a limit.',
    attributes: ['curfew.sdk.limit'],
  },
  hookErrors: {
    name: 'curfew.sdk.hook.errors',
    kind: 'counter',
    unit: '{error}',
    help: 'Exceptions that listeners of the hooks threw.',
    attributes: [],
  },
  guarded: {
    name: 'curfew.sdk.guarded',
    kind: 'counter',
    unit: '{error}',
    help: "Errors of Curfew's own automatic cancellations that the guard kept from ending the process.",
    attributes: [],
  },
  startTime: {
    name: 'curfew.process.start.time',
    kind: 'gauge',
    unit: 's',
    help: 'When telemetry was installed, in seconds since the epoch.',
    attributes: [],
  },
  build: {
    name: 'curfew.build.info',
    kind: 'gauge',
    unit: '{build}',
    help: 'Always 1; the version is an attribute.',
    attributes: ['curfew.version'],
  },
} as const satisfies Record<string, Instrument>;

export type InstrumentId = keyof typeof INSTRUMENTS;
