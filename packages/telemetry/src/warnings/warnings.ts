import { clock } from '@curfew/context/spi';
import { context, diag, ROOT_CONTEXT, type SpanContext } from '@opentelemetry/api';
import type { EmitLogRecord } from '../log-emitter';
import { callApplication } from '../application-call';
import { EVENTS, WARNING_ATTRIBUTES } from '../registry/span-names';

/** Something that a person should look at. */
export interface Warning {
  readonly sort: 'orphan' | 'lingering' | 'lost' | 'brokenChain';
  /** One sentence. */
  readonly message: string;
  readonly attributes: Readonly<Record<string, string | number | undefined>>;
  /** Where the context was made, where that is known. */
  readonly stack: string | undefined;
  /** The span that it belongs to. */
  readonly span?: SpanContext | undefined;
}

/** Milliseconds between two warnings of one sort. */
const EVERY = 10_000;

interface State {
  readonly at: number;
  /** Not told since. */
  held: number;
}

/** Tells warnings as log records and through `diag`, one of each sort in ten seconds; the rest are counted. */
export function createWarnings(emit: EmitLogRecord): (warning: Warning) => void {
  const states = new Map<Warning['sort'], State>();
  return ({ sort, message, attributes, stack, span }) => {
    const now = clock().now();
    const state = states.get(sort);
    if (state !== undefined && now - state.at < EVERY) {
      state.held++;
      return;
    }
    states.set(sort, { at: now, held: 0 });
    const more =
      state === undefined || state.held === 0 ? '' : ` ${state.held} more since the last such line.`;
    const where = stack === undefined ? '' : ` It was made here:\n${stack}`;
    // Whoever listens to `diag` may write over the network too: nothing here belongs to the context that is active.
    callApplication(() => context.with(ROOT_CONTEXT, () => diag.warn(`curfew: ${message}${more}${where}`)));
    emit({
      eventName: EVENTS[sort],
      severity: 'WARN',
      body: message,
      attributes: { ...attributes, [WARNING_ATTRIBUTES.stack]: stack },
      span,
    });
  };
}
