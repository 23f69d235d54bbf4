import type { ChainBreak } from '@curfew/context/spi';
import { trace } from '@opentelemetry/api';
import { REASON_NAMES } from '../registry/value-numbers';
import type { TellEvent } from '../spans/span-events';
import { clean } from '../figures/labels';
import { nameOf, startOf, type OpenContexts } from '../figures/open-contexts';
import { callerStack, type Stacks } from './stacks';
import { wallTime } from '../spans/curfew-spans';
import { EVENTS, WARNING_ATTRIBUTES } from '../registry/span-names';
import type { Store } from '../figures/store';
import type { Warning } from './warnings';
import type { LeftBehind, MarkableSpan } from '../operations/work';

/** What telemetry tells a person, each as a warning with the name, the age and the reason. */
export interface Reports {
  /** An orphan has been running for longer than `orphanReportAfter`. */
  orphan(orphan: LeftBehind, span: MarkableSpan | undefined, now: number): void;
  /** So many more contexts linger; the oldest of them is in the row. */
  lingering(count: number, oldest: number, now: number): void;
  /** The context in the row was garbage-collected without having ended. */
  lost(row: number, now: number): void;
  brokenChain(event: ChainBreak): void;
}

export interface ReportParts {
  readonly store: Store;
  readonly open: OpenContexts;
  readonly stacks: Stacks | undefined;
  readonly warn: (warning: Warning) => void;
  readonly tell: TellEvent;
}

export function createReports({ store, open, stacks, warn, tell }: ReportParts): Reports {
  const seconds = (ms: number) => Math.round(ms) / 1000;

  return {
    orphan({ work, reason: number, contextName, endedAt, madeAt }, span, now) {
      const reason = REASON_NAMES[number] ?? 'canceled';
      const kind = store.kinds.value(work.kind);
      const context = store.names.value(contextName);
      const name = typeof work.name === 'string' && work.name !== '' ? clean(work.name) : undefined;
      const age = seconds(now - endedAt);
      const what = name === undefined ? `${kind} work` : `"${name}" (${kind})`;
      warn({
        sort: 'orphan',
        message: `Orphan: ${what} still runs ${age} s after its context "${context}" ended (${reason}).`,
        attributes: {
          'curfew.context.name': context,
          'curfew.operation.kind': kind,
          [WARNING_ATTRIBUTES.operationName]: name,
          'curfew.cancel.reason': reason,
          [WARNING_ATTRIBUTES.age]: age,
        },
        stack: madeAt,
        span: work.spanContext,
      });
      // Last, since a span of somebody's own making may throw.
      if (span?.isRecording() === true) {
        const attributes = { 'curfew.cancel.reason': reason };
        tell(span, { name: EVENTS.orphan, at: wallTime(now, now), severity: 'WARN', attributes });
      }
    },

    lingering(count, oldest, now) {
      const name = store.names.value(nameOf(open, oldest));
      const age = seconds(now - startOf(open, oldest));
      const others = count === 1 ? '' : ` Nor have ${count - 1} more.`;
      warn({
        sort: 'lingering',
        message: `Lingering: context "${name}" has not ended in ${age} s.${others}`,
        attributes: { 'curfew.context.name': name, [WARNING_ATTRIBUTES.age]: age },
        stack: stacks?.of(oldest),
      });
    },

    lost(row, now) {
      const name = store.names.value(nameOf(open, row));
      const age = seconds(now - startOf(open, row));
      warn({
        sort: 'lost',
        message: `Lost: context "${name}" was garbage-collected after ${age} s without having ended.`,
        attributes: { 'curfew.context.name': name, [WARNING_ATTRIBUTES.age]: age },
        stack: stacks?.of(row),
      });
    },

    brokenChain({ cause, active }) {
      const name = store.names.value(store.names.find(active.name));
      const what = cause === 'root_span' ? 'a span' : `a context from ${cause}()`;
      warn({
        sort: 'brokenChain',
        message: `Broken chain: ${what} started from a root inside the live context "${name}", and will not hear of its end.`,
        attributes: { 'curfew.context.name': name, 'curfew.break.cause': cause },
        stack: stacks === undefined ? undefined : callerStack(),
        span: trace.getSpanContext(active),
      });
    },
  };
}
